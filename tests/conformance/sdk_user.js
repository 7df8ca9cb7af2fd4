'use strict';
// One user of an SDK in a process of its own, driven by generation.js.
const child = require('./child.js');
const sdk = require('./sdk.js');

const EVENTS = ['onTextMessage', 'onPictureMessage', 'onImageMessage', 'onAudioMessage', 'onVideoMessage', 'onFileMessage',
  'onCmdMessage', 'onCustomMessage', 'onLocationMessage', 'onCombineMessage', 'onReadMessage', 'onDeliveredMessage',
  'onRecallMessage', 'onChannelMessage', 'onModifiedMessage', 'onMultiDeviceEvent', 'onStatisticMessage'];

const ACKS = ['read', 'delivery', 'channel'];

let connection = null;
let version = null;

/** The file of the options as this SDK wants it. */
function withFile({ file, ...rest }) {
  if (!file) return rest;
  const data = new File([Buffer.from(file.bytes, 'base64')], file.filename, { type: file.type });
  return { ...rest, file: { data, filename: file.filename, filetype: file.filename.split('.').pop(), url: 'blob:none' },
    apiUrl: connection.apiUrl, onFileUploadError() {}, onFileUploadComplete() {} };
}

const calls = {
  async login(which, ready, user, options) {
    version = which;
    const hear = name => event => child.tell(name, event);
    connection = await sdk.login(ready, user, { ...options, version,
      events: Object.fromEntries(EVENTS.map(name => [name, hear(name)])) });
  },
  /** options of the newest SDK; an older one gets them in its own words. */
  async send(options) {
    const { type, ...rest } = withFile(options);
    if (version === '3.6.3') {
      const sent = sdk.send3(connection, type === 'loc' ? 'location' : type, rest);
      return ACKS.includes(type) ? undefined : sent; // it does not say that an ack was sent
    }
    return (await connection.send(sdk.message(version).create({ type, ...rest }))).serverMsgId;
  },
  async fetchHistoryMessages(options) {
    connection.mr_cache = [];
    return connection.fetchHistoryMessages(options);
  },
  async recall({ mid, to, chatType }) {
    const old = { singleChat: 'chat', groupChat: 'groupchat', chatRoom: 'chatroom' };
    const result = connection.recallMessage({ mid, to, chatType, type: old[chatType] });
    return version === '3.6.3' ? undefined : void await result;
  },
  async edit(messageId, options) {
    await connection.modifyMessage({ messageId, modifiedMessage: sdk.message(version).create(options) });
  },
  async joinChatRoom(roomId) { await connection.joinChatRoom({ roomId }); },
  async call(name, ...args) { return connection[name](...args); },
  async close() { connection.close(); },
};

child.serve(calls);
process.on('unhandledRejection', () => {}); // 4.0.8 leaves promises of its own alone; a browser only prints that
