'use strict';
// Every kind of message that RongCloud's SDK can send: class of the SDK or the app's own object name, content, the object
// name on the wire, and how moontide shows it: kind, text, body, ext.
const AT = 'http://127.0.0.1:9/';
// The SDK writes the picture under both of its names.
const USER = { id: 'bob', name: 'Bob', portraitUri: `${AT}bob.png`, portrait: `${AT}bob.png`, extra: 'u' };
const at = name => ({ url: AT + name, remote_path: AT + name });
const thumbnail_base64 = 'aGVsbG8=';
const GIFT = { name: 'rose', price: 2, deep: { list: [1, 'two', null, true, 1.5] } };
const QUOTED = { content: 'the original' };

const KINDS = [
  ['TextMessage', { content: '你好 😀 <b>&amp;\t"x"\u0000', extra: 'more' }, 'RC:TxtMsg',
    { kind: 'text', text: '你好 😀 <b>&amp;\t"x"\ufffd', body: {}, ext: { extra: 'more' } }],
  ['TextMessage', { content: '' }, 'RC:TxtMsg', { kind: 'text', text: '', body: {} }],
  ['TextMessage', { content: 'with fields', extra: '{"a":1,"b":["c",{"d":null}]}' }, 'RC:TxtMsg',
    { kind: 'text', text: 'with fields', body: {}, ext: { a: 1, b: ['c', { d: null }] } }],
  ['TextMessage', { content: 'from somebody', user: USER }, 'RC:TxtMsg',
    { kind: 'text', text: 'from somebody', body: { user: USER } }],
  ['ImageMessage', { content: thumbnail_base64, imageUri: `${AT}p.jpg`, extra: 'e' }, 'RC:ImgMsg',
    { kind: 'image', body: { thumbnail_base64, ...at('p.jpg') }, ext: { extra: 'e' } }],
  ['GIFMessage', { gifDataSize: 35, remoteUrl: `${AT}p.gif`, width: 3, height: 4 }, 'RC:GIFMsg',
    { kind: 'image', body: { ...at('p.gif'), size_bytes: 35, width: 3, height: 4, gif: true } }],
  ['FileMessage', { name: 'd.pdf', size: 9, type: 'pdf', fileUrl: `${AT}d.pdf` }, 'RC:FileMsg',
    { kind: 'file', body: { filename: 'd.pdf', size_bytes: 9, file_type: 'pdf', ...at('d.pdf') } }],
  ['VoiceMessage', { content: 'IyFBTVIK', duration: 7 }, 'RC:VcMsg',
    { kind: 'voice', body: { data_base64: 'IyFBTVIK', duration_s: 7 } }],
  ['HQVoiceMessage', { remoteUrl: `${AT}v.aac`, duration: 8 }, 'RC:HQVCMsg',
    { kind: 'voice', body: { ...at('v.aac'), duration_s: 8 } }],
  ['SightMessage', { sightUrl: `${AT}v.mp4`, content: thumbnail_base64, duration: 9, size: 10, name: 'v.mp4' }, 'RC:SightMsg',
    { kind: 'video', body: { ...at('v.mp4'), thumbnail_base64, duration_s: 9, size_bytes: 10, filename: 'v.mp4' } }],
  ['LocationMessage', { longitude: 116.25, latitude: 39.5, poi: '北京', content: thumbnail_base64 }, 'RC:LBSMsg',
    { kind: 'location', body: { longitude: 116.25, latitude: 39.5, address: '北京', thumbnail_base64 } }],
  ['RichContentMessage', { title: 'T', content: 'C', imageUri: `${AT}p.png`, url: AT }, 'RC:ImgTextMsg',
    { kind: 'RC:ImgTextMsg', text: 'C', body: { title: 'T', image_url: `${AT}p.png`, link: AT } }],
  ['ReferenceMessage', { content: 'quite so', referMsgUserId: 'carol', referMsg: QUOTED, referMsgUid: 'AAAA-BBBB-CCCC-0001',
    objName: 'RC:TxtMsg' }, 'RC:ReferenceMsg',
  { kind: 'text', text: 'quite so', body: { quote: { from: 'carol', content: QUOTED, id: 'AAAA-BBBB-CCCC-0001', name: 'RC:TxtMsg',
    text: 'the original' } } }],
  ['CombineMessage', { remoteUrl: `${AT}c.html`, nameList: ['bob', 'carol'], summaryList: ['bob: hi', 'carol: ho'],
    conversationType: 1 }, 'RC:CombineMsg',
  { kind: 'combine', body: { ...at('c.html'), names: ['bob', 'carol'], summaries: ['bob: hi', 'carol: ho'],
    conversation_type: 1, summary: 'bob: hi\ncarol: ho' } }],
  ['CommandMessage', { name: 'do', data: '{"a":1}' }, 'RC:CmdMsg', { kind: 'command', body: { action: 'do', data: '{"a":1}' } }],
  ['InformationNotificationMessage', { message: 'renamed', extra: 'x' }, 'RC:InfoNtf',
    { kind: 'RC:InfoNtf', text: 'renamed', body: {}, ext: { extra: 'x' } }],
  ['GroupNotificationMessage', { operatorUserId: 'bob', operation: 'Rename', data: '{"n":"x"}', message: 'renamed', extra: '' },
    'RC:GrpNtf', { kind: 'RC:GrpNtf', text: 'renamed', body: { operator: 'bob', operation: 'Rename', data: '{"n":"x"}' } }],
  ['app:gift', GIFT, 'app:gift', { kind: 'custom', body: { event: 'app:gift', fields: GIFT } }],
];
/** The app's own message types: name, persisted, counted, status. */
const TYPES = [['app:gift', true, true, false], ['app:wink', false, false, true]];

const ordered = value => JSON.stringify(value, (key, v) => (v && typeof v === 'object' && !Array.isArray(v)
  ? Object.fromEntries(Object.entries(v).sort()) : v));

/** The differences between what moontide shows and what was sent, as text; null: none. */
function wrong(line, want, from) {
  const got = { kind: line.kind, text: line.text, body: line.body, ext: line.ext || {}, from: line.from };
  const wanted = { kind: want.kind, text: want.text, body: want.body, ext: want.ext || {}, from };
  const differing = Object.keys(wanted).filter(key => ordered(got[key]) !== ordered(wanted[key]));
  return differing.map(key => `${want.kind}: ${key} ${ordered(got[key])}, sent ${ordered(wanted[key])}`).join('; ') || null;
}

module.exports = { KINDS, TYPES, ordered, wrong };
