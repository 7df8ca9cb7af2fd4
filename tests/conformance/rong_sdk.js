'use strict';
// RongCloud's SDK 5.38.0 on plain Node: one user of one page.
require('./browser.js');
// What the vendor's own programs call themselves is looked at for a version.
Object.defineProperty(globalThis.navigator, 'userAgent', { configurable: true,
  value: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36' });
// A page's pictures and sounds: the SDK makes a thumbnail of the one and measures the other before it sends them.
globalThis.Image = class {
  set src(url) { Object.assign(this, { width: 3, height: 4 }); setImmediate(() => this.onload({ url })); }
};
globalThis.document.createElement = () => ({ style: {}, getContext: () => ({ drawImage() {} }),
  toDataURL: () => 'data:image/jpeg;base64,aGVsbG8=' });
globalThis.AudioContext = class {
  decodeAudioData(bytes, done) { done({ duration: 7, length: bytes.byteLength, sampleRate: 16000, numberOfChannels: 1 }); }
};
module.exports = require('@rongcloud/imlib-next');
