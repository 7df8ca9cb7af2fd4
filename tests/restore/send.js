// Sends a plan of moontide restore to a sandbox, as docs/restore.md says: node send.js PLAN REST USER GROUP…. The groups are
// made first, with USER in them. Prints how many were taken, and the first answer that was none.
'use strict';
const fs = require('node:fs');
const [plan, rest, user, ...groups] = process.argv.slice(2);

async function post(path, body, token) {
  const answer = await fetch(new URL(rest).origin + path, {
    method: 'POST', headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }, body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

(async () => {
  for (const id of groups) await post('/sandbox/demo/chatgroups', { groupname: id, groupid: id, members: [user] }, `sandbox-${user}`);
  const credentials = { grant_type: 'client_credentials', client_id: 'sandbox-client', client_secret: 'sandbox-client-secret' };
  const token = (await post('/sandbox/demo/token', credentials)).body.access_token;
  const ids = new Set();
  const lines = fs.readFileSync(plan, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  for (const { path, body } of lines) {
    const answer = await post(path, body, token);
    if (answer.status !== 200) {
      console.log(JSON.stringify(answer), JSON.stringify(body));
      break;
    }
    ids.add(answer.body.data.msg_id);
  }
  const again = await post(lines.at(-1).path, lines.at(-1).body, token);
  const anybody = await post(lines[0].path, lines[0].body, `sandbox-${user}`);
  console.log(`${ids.size} of ${lines.length} taken; the last again: ${again.status}; without the app's token: ${anybody.status}`);
})();
