'use strict';
// A script of moontide that does what it is told and prints all that it hears, whatever its account's cloud.
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { Arrivals } = require('./arrivals.js');
const moontide = require('./moontide.js');

const DIRECTOR = 'director-of-'; // before the name of the bot's user: an SDK user whose commands are orders, {n, act, to, …}

const SCRIPT = `
local moontide = require "moontide"
local account = moontide.account "it"
local encode = moontide.json.encode
local function say(name, event)
  local message = event.message
  print(('{"event":"%s","message":%s,"rest":%s}'):format(name, message and message:json() or "null", encode {
    conversation = event.conversation and event.conversation.id, data = event.data, target = message and message.target,
    fault = event.fault and { code = event.fault.code, provider_code = event.fault.provider_code },
  }))
end
local function find(order, conversation)
  for message in conversation:history { limit = 200 } do if message.id == order.id then return message end end
  error("no message " .. order.id)
end
local doing = {}
function doing.send(order, conversation)
  order.send.text = order.times and order.send.text:rep(order.times) or order.send.text
  return conversation:send(order.send)
end
function doing.send_image(order, conversation) return conversation:send_image(order.send) end
function doing.join(_, conversation) return conversation:join() end
function doing.leave(_, conversation) return conversation:leave() end
function doing.mark_read(order, conversation) return find(order, conversation):mark_read(order.content) end
function doing.conversation_read(_, conversation) return conversation:mark_read() end
function doing.recall(order, conversation) return find(order, conversation):recall(order.info) end
function doing.edit(order, conversation) return find(order, conversation):edit(order.edit) end
function doing.delete_messages(order, conversation) return conversation:delete_messages(order.which) end
function doing.delete(order, conversation) conversation:delete { history = order.history } end
function doing.delete_everything() account:delete_everything() end
function doing.pin(order, conversation) conversation:pin(order.on) end
function doing.mark(order, conversation) conversation:mark(order.mark, order.on) end
function doing.list(order)
  local list = moontide.json.array {}
  for conversation in account:conversations { form = order.form, pinned = order.pinned, mark = order.mark } do
    list[#list + 1] = { id = conversation.id, unread = conversation.unread, pinned = conversation.pinned,
      marks = moontide.json.array(conversation.marks) }
  end
  return list
end
function doing.entries(order)
  local list = moontide.json.array {}
  for conversation in account:conversations(order.options) do list[#list + 1] = conversation:json() end
  return list
end
function doing.set_notification(order, conversation) conversation:set_notification(order.level) end
function doing.history(order, conversation)
  local list = moontide.json.array {}
  for message in conversation:history { order = "oldest" } do list[#list + 1] = message:json() end
  return list
end
function doing.readers(order, conversation)
  local list = moontide.json.array {}
  for user in find(order, conversation):readers() do list[#list + 1] = user end
  return list
end
for _, name in ipairs { "connected", "edited", "recalled", "read", "delivered", "unread", "messages_deleted",
  "conversation_deleted", "conversation", "message_pinned", "statistic", "notice", "disconnected", "kicked", "error",
  "token_expiring" } do
  account:on(name, function(_, event) say(name, event or _) end)
end
account:on("message", function(message, event)
  if event.conversation.id ~= "single:${DIRECTOR}" .. account.user then return say("message", event) end
  local order = moontide.json.decode(message.body.action)
  if order.act == "stop" then return account:off() end
  local ok, value = moontide.try(doing[order.act], order, order.to and account:conversation(order.to))
  if not ok then
    value = { fault = { code = value.code, provider_code = value.provider_code, message = value.message, kind = value.kind } }
  end
  print(encode { event = "done", n = order.n, value = value })
end)
`;

let orders = 0;

/** Starts the script as a device of the user and waits until it is online: {seen, ask, stop, errors}. ask sends an order
 * and resolves what the call gave back; a fault is thrown, with the fault as its member. direct() resolves what sends the
 * director's commands: {order(what), close()}. */
exports.start = async (config, user, direct, { password = 'secret', rights = 'read,send,mark_read,organise,delete' } = {}) => {
  const file = path.join(moontide.scratch, `bot-${user}-${orders}.lua`);
  fs.writeFileSync(file, SCRIPT);
  const seen = new Arrivals();
  const child = moontide.start(['run', '-c', config, file, '--grant', rights, '--apply'], { password });
  readline.createInterface({ input: child.stdout }).on('line', line => seen.push(JSON.parse(line)));
  const errors = [];
  child.stderr.on('data', part => errors.push(part.toString()));
  const ended = new Promise(resolve => { child.once('close', status => resolve(status)); });
  const lost = ended.then(status => { throw new Error(`the script of ${user} ended with ${status}: ${errors.join('')}`); });
  lost.catch(() => {});
  await Promise.race([seen.take(one => one.event === 'connected', `${user} connected`), lost]);
  const director = await direct(DIRECTOR + user);
  return {
    seen, errors, user, ended, director,
    async ask(act, to, what = {}) {
      const n = ++orders;
      await director.order({ ...what, n, act, to });
      const { value } = await seen.take(one => one.event === 'done' && one.n === n, `${act} ${to}`);
      if (value && value.fault) throw Object.assign(new Error(`${act} ${to}: ${value.fault.message}`), value);
      return value;
    },
    async stop() {
      await director.order({ act: 'stop' });
      const status = await ended;
      await director.close();
      return status;
    },
  };
};

exports.DIRECTOR = DIRECTOR;
