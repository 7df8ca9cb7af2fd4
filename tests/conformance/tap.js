'use strict';
// Prints TAP, one line a check, and keeps the process's exit status honest.
let count = 0;
let failed = 0;

function line(ok, name, detail) {
  count += 1;
  if (!ok) failed += 1;
  console.log(`${ok ? 'ok' : 'not ok'} ${count} - ${name}`);
  if (!ok && detail) console.log(String(detail).split('\n').slice(0, 20).map(text => '  # ' + text).join('\n'));
  return ok;
}
exports.ok = (condition, name, detail) => line(Boolean(condition), name, detail);
exports.equal = (got, want, name) => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  return line(a === b, name, a === b ? '' : `got  ${a?.slice(0, 600)}\nwant ${b?.slice(0, 600)}`);
};
exports.skip = (name, reason) => { count += 1; console.log(`ok ${count} - ${name} # SKIP ${reason}`); };
exports.note = text => console.log('# ' + text);
exports.done = () => { console.log(`1..${count}`); process.exitCode = failed ? 1 : 0; };
/** Runs a test program: whatever it throws is a failed check, and the process always ends. */
exports.run = main => {
  main().catch(error => line(false, 'ends without an exception', error.stack || JSON.stringify(error)))
    .then(() => { exports.done(); process.exit(process.exitCode); });
};
