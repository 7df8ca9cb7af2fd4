'use strict';
// A queue of things that arrive, to be waited for.
const WAIT_MS = 20000;

exports.Arrivals = class Arrivals {
  constructor() { this.items = []; this.waiting = []; }
  push(item) {
    const at = this.waiting.findIndex(waiter => waiter.wants(item));
    if (at < 0) this.items.push(item);
    else this.waiting.splice(at, 1)[0].resolve(item);
  }
  take(wants, what) {
    const at = this.items.findIndex(wants);
    if (at >= 0) return Promise.resolve(this.items.splice(at, 1)[0]);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`did not come within ${WAIT_MS / 1000} s: ${what}; instead: ` +
        JSON.stringify(this.items).slice(0, 1000))), WAIT_MS);
      this.waiting.push({ wants, resolve: item => { clearTimeout(timer); resolve(item); } });
    });
  }
  clear() { this.items = []; }
};
