'use strict';
// Random numbers that can be repeated (mulberry32).
exports.random = seed => {
  let a = seed >>> 0;
  const unit = () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = n => Math.floor(unit() * n);
  return {
    unit, below,
    chance: p => unit() < p,
    pick: list => list[below(list.length)],
    shuffle: list => {
      for (let i = list.length - 1; i > 0; i--) {
        const k = below(i + 1);
        [list[i], list[k]] = [list[k], list[i]];
      }
      return list;
    },
  };
};
