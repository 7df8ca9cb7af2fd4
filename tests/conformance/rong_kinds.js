'use strict';
// Every kind of message that RongCloud's SDK can send: class of the SDK or the app's own object name, content, the object
// name on the wire.
const USER = { id: 'bob', name: 'Bob', portraitUri: 'http://127.0.0.1/bob.png', extra: 'u' };
const KINDS = [
  ['TextMessage', { content: '你好 😀 <b>&amp;\t"x"\u0000', extra: 'more' }, 'RC:TxtMsg'],
  ['TextMessage', { content: '' }, 'RC:TxtMsg'],
  ['TextMessage', { content: 'from somebody', user: USER }, 'RC:TxtMsg'],
  ['ImageMessage', { content: 'aGVsbG8=', imageUri: 'http://127.0.0.1:9/p.jpg', extra: 'e' }, 'RC:ImgMsg'],
  ['GIFMessage', { gifDataSize: 35, remoteUrl: 'http://127.0.0.1:9/p.gif', width: 3, height: 4 }, 'RC:GIFMsg'],
  ['FileMessage', { name: 'd.pdf', size: 9, type: 'pdf', fileUrl: 'http://127.0.0.1:9/d.pdf' }, 'RC:FileMsg'],
  ['VoiceMessage', { content: 'IyFBTVIK', duration: 7 }, 'RC:VcMsg'],
  ['HQVoiceMessage', { remoteUrl: 'http://127.0.0.1:9/v.aac', duration: 8 }, 'RC:HQVCMsg'],
  ['SightMessage', { sightUrl: 'http://127.0.0.1:9/v.mp4', content: 'aGVsbG8=', duration: 9, size: 10, name: 'v.mp4' },
    'RC:SightMsg'],
  ['LocationMessage', { longitude: 116.25, latitude: 39.5, poi: '北京', content: 'aGVsbG8=' }, 'RC:LBSMsg'],
  ['RichContentMessage', { title: 'T', content: 'C', imageUri: 'http://127.0.0.1:9/p.png', url: 'http://127.0.0.1:9/' },
    'RC:ImgTextMsg'],
  ['ReferenceMessage', { content: 'quite so', referMsgUserId: 'carol', referMsg: { content: 'the original' },
    referMsgUid: 'AAAA-BBBB-CCCC-0001', objName: 'RC:TxtMsg' }, 'RC:ReferenceMsg'],
  ['CombineMessage', { remoteUrl: 'http://127.0.0.1:9/c.html', nameList: ['bob', 'carol'], summaryList: ['bob: hi'],
    conversationType: 1 }, 'RC:CombineMsg'],
  ['CommandMessage', { name: 'do', data: '{"a":1}' }, 'RC:CmdMsg'],
  ['InformationNotificationMessage', { message: 'renamed', extra: 'x' }, 'RC:InfoNtf'],
  ['GroupNotificationMessage', { operatorUserId: 'bob', operation: 'Rename', data: '{"n":"x"}', message: 'renamed', extra: '' },
    'RC:GrpNtf'],
  ['app:gift', { name: 'rose', price: 2, deep: { list: [1, 'two', null, true, 1.5] } }, 'app:gift'],
];
/** The app's own message types: name, persisted, counted, status. */
const TYPES = [['app:gift', true, true, false], ['app:wink', false, false, true]];

module.exports = { KINDS, TYPES };
