'use strict';
// One user of SDK 3.6.3 in a process of its own, for that version keeps its connection in module-wide state. Driven by
// sdk3.js over the channel to its parent: {n, call, args} is answered by {n, value} or {n, error}.
const sdk = require('./sdk.js');

let connection = null;

const calls = {
  async login(ready, user, password) { connection = await sdk.login(ready, user, { version: 3, password }); },
  async send(kind, options) {
    const { file, ...rest } = options;
    if (file) {
      const data = new File([Buffer.from(file.bytes, 'base64')], file.filename, { type: file.type });
      rest.file = { data, filename: file.filename, filetype: file.filename.split('.').pop(), url: 'blob:none' };
      rest.apiUrl = connection.apiUrl;
      rest.onFileUploadError = () => {};
      rest.onFileUploadComplete = () => {};
    }
    return sdk.send3(connection, kind, rest);
  },
  async fetchHistoryMessages(options) {
    connection.mr_cache = [];
    return connection.fetchHistoryMessages(options);
  },
  async getSessionList() { return connection.getSessionList(); },
  async close() { connection.close(); },
};

process.on('message', async ({ n, call, args }) => {
  try {
    process.send({ n, value: await calls[call](...args) });
  } catch (error) {
    process.send({ n, error: String((error && (error.stack || error.message)) || JSON.stringify(error)) });
  }
});
process.on('disconnect', () => process.exit(0));
