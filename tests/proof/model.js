'use strict';
// What a policy and a hold mean, said once more and as simply as can be: nothing here is shared with the engine.
// A policy is a tree: {is: 'older_than', n: days} | {is: 'and', a, b} | …; written as the Lua that moontide reads.
const DAY = 86400000;

const glob = (pattern, value) => new RegExp(`^${pattern.split('*').map(part => part.split('?')
  .map(piece => piece.replace(/[.+^${}()|[\]\\]/g, '\\$&')).join('.')).join('[^]*')}$`).test(value);

/** message: {conversation, from, time, kind, text, size, newer, pinned}; now: when the run began. */
function means(policy, message, now) {
  switch (policy.is) {
    case 'all': return true;
    case 'older_than': return message.time < now - policy.n * DAY;
    case 'before': return message.time < policy.n;
    case 'since': return message.time >= policy.n;
    case 'from': return message.from === policy.text;
    case 'kind': return message.kind === policy.text;
    case 'in_conversation': return glob(policy.text.includes(':') ? policy.text : `single:${policy.text}`, message.conversation);
    case 'larger_than': return message.size !== undefined && message.size > policy.n;
    case 'matches': return message.kind === 'text' && glob(policy.text, message.text);
    case 'newest': return message.newer < policy.n;
    case 'pinned': return message.pinned;
    case 'or': return means(policy.a, message, now) || means(policy.b, message, now);
    case 'and': return means(policy.a, message, now) && means(policy.b, message, now);
    case 'not': return means(policy.a, message, now) && !means(policy.b, message, now);
    default: throw new Error(policy.is);
  }
}

function write(policy) {
  switch (policy.is) {
    case 'all': case 'pinned': return policy.is;
    case 'older_than': return `older_than "${policy.n}d"`;
    case 'before': case 'since': return `${policy.is} "${new Date(policy.n).toISOString()}"`;
    case 'larger_than': case 'newest': return `${policy.is}(${policy.n})`;
    case 'or': return `(${write(policy.a)} + ${write(policy.b)})`;
    case 'and': return `(${write(policy.a)} * ${write(policy.b)})`;
    case 'not': return `(${write(policy.a)} - ${write(policy.b)})`;
    default: return `${policy.is} "${policy.text}"`;
  }
}

function condition(random, world) {
  const day = world.now - world.now % DAY;
  switch (random.below(10)) {
    case 0: return { is: 'before', n: day - random.below(200) * DAY };
    case 1: return { is: 'since', n: day - random.below(200) * DAY };
    case 2: return { is: 'from', text: random.pick(world.users) };
    case 3: return { is: 'kind', text: random.pick(['text', 'image', 'file', 'custom']) };
    case 4: return { is: 'in_conversation', text: random.pick(['single:*', 'group:*', '*1', ...world.conversations]) };
    case 5: return { is: 'larger_than', n: random.below(4000) };
    case 6: return { is: 'and', a: { is: 'kind', text: 'text' }, b: { is: 'matches', text: random.pick(['*one*', 'two*', '*three']) } };
    case 7: return { is: 'pinned' };
    case 8: return { is: 'newest', n: 1 + random.below(6) };
    default: return { is: 'older_than', n: random.pick([3, 30, 90, 200]) };
  }
}

function random_policy(random, world, depth = 2) {
  if (depth === 0 || random.chance(0.4)) return condition(random, world);
  return { is: random.pick(['or', 'and', 'not']), a: random_policy(random, world, depth - 1),
    b: random_policy(random, world, depth - 1) };
}

/** hold: a line of the list, as an object. */
function holds(hold, message) {
  if (hold.everything) return true;
  if (hold.account && !['it', 'agent'].includes(hold.account)) return false;
  if (hold.conversation && !glob(hold.conversation, message.conversation)) return false;
  if (hold.person && ![message.from, 'agent', message.conversation.replace(/^single:/, '')].includes(hold.person)) return false;
  if (hold.since && message.time < Date.parse(hold.since)) return false;
  return !(hold.until && message.time >= Date.parse(hold.until));
}

function random_hold(random, world, id) {
  const hold = { id };
  const day = days => new Date(world.now - days * DAY).toISOString();
  const conditions = [
    () => { hold.conversation = random.pick([...world.conversations, ...world.conversations, 'group:*']); },
    () => { hold.person = random.pick(world.users.filter(user => user !== 'agent')); },
    () => { hold.since = day(100 + random.below(100)); hold.until = day(random.below(100)); },
    () => { hold.conversation = random.pick(world.conversations); hold.account = random.pick(['it', 'agent', 'another']); },
  ];
  random.pick(conditions)();
  if (random.chance(0.2)) random.pick(conditions)();
  return hold;
}

/** What an archive says it has left out: Map conversation → [[since, until], …]. A later line takes back exactly its range. */
function gaps(lines) {
  const result = new Map();
  for (const line of lines) {
    if (line.type !== 'gap') continue;
    const list = (result.get(line.conversation) || [])
      .filter(([since, until]) => !line.closed || since !== line.since || until !== line.until);
    if (!line.closed) list.push([line.since, line.until]);
    result.set(line.conversation, list);
  }
  return result;
}

/** An end of 0 is an open one. */
const lies_in = (left_out, message) => (left_out.get(message.conversation) || [])
  .some(([since, until]) => message.time >= since && (!until || message.time < until));

module.exports = { means, write, random_policy, holds, random_hold, gaps, lies_in, DAY };
