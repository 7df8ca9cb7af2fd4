---@meta
-- Made from lua/api/moontide.lua.

---@class moontide.options.3 @options of account:conversations
---@field ['form'] string|nil @the cloud's own name of a list form (Easemob: list, page, old); default: the best that it offers
---@field ['pinned'] boolean|nil @only pinned ones
---@field ['mark'] integer|nil @only those with this mark
---@field ['empty'] boolean|nil @also conversations whose messages have all expired
---@field ['limit'] integer|nil @page size; default: the largest of the form
---@field ['unread'] boolean|nil @only those with unread messages
---@field ['kinds'] string[]|nil @only these kinds, such as { "single", "group" }
---@field ['only'] string[]|nil @only these, by their ids; where the cloud says something of them, also such as stand in no list (RongCloud)
---@field ['order'] string|nil @which end comes first; default newest (oldest: account:can "conversations.order")
---@field ['start'] string|integer|nil @newest first: only those whose latest message is older; oldest first: newer (conversations.order)
---@field ['fresh'] boolean|nil @asks the cloud even where the list is kept up to date by events (RongCloud, live); no more often than once a minute

---@class moontide.options.13 @options of conversation:history
---@field ['since'] string|integer|nil @only from this time on, inclusive
---@field ['until'] string|integer|nil @only before this time
---@field ['from'] string|nil @only this sender (the cloud filters in groups only)
---@field ['kinds'] string[]|nil @only these kinds, such as { "text", "image" }
---@field ['order'] string|nil @which end comes first; default newest
---@field ['limit'] integer|nil @at most this many messages
---@field ['page'] integer|nil @page size; default 50
---@field ['cursor'] string|nil @read on after this message id

---@class moontide.options.14 @options of conversation:select
---@field ['order'] string|nil @which end comes first; default newest
---@field ['limit'] integer|nil @at most this many messages
---@field ['page'] integer|nil @page size; default 50
---@field ['now'] string|integer|nil @the moment that older_than counts from; default: that of the call

---@class moontide.options.15 @options of account:select
---@field ['conversations'] string[]|nil @only these, by their ids; default: all that the cloud lists
---@field ['order'] string|nil @within a conversation; default newest
---@field ['limit'] integer|nil @at most this many messages, of all conversations together
---@field ['page'] integer|nil @page size; default 50
---@field ['now'] string|integer|nil @the moment that older_than counts from, the same for all; default: that of the call

---@class moontide.options.16 @options of conversation:history_page
---@field ['since'] string|integer|nil @only from this time on, inclusive
---@field ['until'] string|integer|nil @only before this time
---@field ['from'] string|nil @only this sender (the cloud filters in groups only)
---@field ['kinds'] string[]|nil @only these kinds, such as { "text", "image" }
---@field ['order'] string|nil @which end comes first; default newest
---@field ['limit'] integer|nil @page size; default 50
---@field ['cursor'] string|nil @the cursor of the page before

---@class moontide.options.17 @options of conversation:export
---@field ['since'] string|integer|nil @only from this time on, inclusive
---@field ['until'] string|integer|nil @only before this time
---@field ['from'] string|nil @only this sender (the cloud filters in groups only)
---@field ['kinds'] string[]|nil @only these kinds, such as { "text", "image" }
---@field ['window'] string|integer|nil @read this far back again; default 2d
---@field ['parallel'] integer|nil @time slices at once; default 16
---@field ['min_size'] integer|nil @only attachments of at least this many bytes
---@field ['max_size'] integer|nil @only attachments of at most this many bytes

---@class moontide.options.18 @options of conversation:json
---@field ['raw'] boolean|nil @with the cloud's bytes of the last message

---@class moontide.options.19 @options of message:json
---@field ['raw'] boolean|nil @with the cloud's bytes

---@class moontide.options.20 @options of account:plan
---@field ['conversations'] string[]|nil @only these, by their ids; default all
---@field ['holds'] string|nil @a list of legal holds (docs/holds.md) besides those of the configuration
---@field ['progress'] string|nil @called with how many conversations are read, and how many there are

---@class moontide.options.22 @options of plan:check
---@field ['archive'] string @of the same account
---@field ['holds'] string|nil @a list of holds besides those of the plan and of the configuration

---@class moontide.options.23 @options of plan:apply
---@field ['archive'] string @of the same account
---@field ['holds'] string|nil @a list of holds besides those of the plan and of the configuration

---@class moontide.options.24 @options of moontide.new_file
---@field ['replace'] boolean|nil @a file that is there already is replaced; default false

---@class moontide.options.27 @options of moontide.archive
---@field ['account'] moontide.account @whose archive it is

---@class moontide.options.28 @options of archive:close
---@field ['clean'] boolean|nil @the run ended as it should; default true
---@field ['unseen'] string|nil @why conversations may be missing altogether, "" if none is; verify then never says complete. Absent: as it was

---@class moontide.options.30 @options of archive:fetch_media
---@field ['account'] moontide.account @whose archive it is
---@field ['conversations'] string[]|nil @only of these; default: all
---@field ['parallel'] integer|nil @downloads at once; default 4
---@field ['max_size'] integer|nil @a larger one is missing (download.too_large)
---@field ['progress'] string|nil @called with how many are dealt with, and how many were found so far

---@class moontide.options.32 @options of moontide.verify
---@field ['mode'] string|nil @default read-all

---@class moontide.options.48 @options of archived:lines
---@field ['conversation'] string @its id, such as single:bob
---@field ['since'] string|integer|nil @only messages from this time on; lines of other types are given in any case
---@field ['until'] string|integer|nil @only messages before this time

---@class moontide.options.49 @options of moontide.audit
---@field ['since'] string|integer|nil @only from this time on, inclusive
---@field ['until'] string|integer|nil @only before this time
---@field ['account'] string|nil @only of this account: its name, or its user's id
---@field ['verb'] string|nil @only these: delete_messages, delete, delete_everything, recall, edit, send, mark_read
---@field ['id'] string|nil @only what names this message, with its results
---@field ['conversation'] string|nil @only of this conversation, by its address
---@field ['person'] string|nil @only what names this user: its account, and the single chats with it
---@field ['actor'] string|nil @only what was done by this one: a part of the name, such as a job's
---@field ['plan'] string|nil @only what a retention did under the plan whose hash begins so

---@class moontide.options.50 @options of moontide.audit_verify
---@field ['noted'] string|nil @NUMBER:HASH of a record that was noted elsewhere, as the end of a retention prints it: it must be there

---@class moontide.options.51 @options of moontide.audit_prune
---@field ['before'] string|integer @segments that have only older records
---@field ['why'] string|nil @the reason, for the record
---@field ['apply'] boolean|nil @do it; else it says what would go

---@class moontide.options.55 @options of conversation:send
---@field ['kind'] string|nil @text (default), command, custom, location, image, voice, video, file, combine
---@field ['text'] string|nil @the text
---@field ['body'] string|nil @the kind's other fields, as in docs/messages.md
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.56 @options of conversation:send_image
---@field ['path'] string|nil @the file to upload
---@field ['url'] string|nil @instead of path: an address that is sent as it is, and not looked at
---@field ['filename'] string|nil @the name that the receiver sees; default: the last part of path
---@field ['size'] integer|nil @with url: how many bytes it has, if known
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['width'] integer|nil @pixels
---@field ['height'] integer|nil @pixels
---@field ['gif'] boolean|nil @it is an animated GIF
---@field ['thumbnail_width'] integer|nil @of the thumbnail that the cloud makes
---@field ['thumbnail_height'] integer|nil @likewise
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.57 @options of conversation:send_voice
---@field ['path'] string|nil @the file to upload
---@field ['url'] string|nil @instead of path: an address that is sent as it is, and not looked at
---@field ['filename'] string|nil @the name that the receiver sees; default: the last part of path
---@field ['size'] integer|nil @with url: how many bytes it has, if known
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['duration'] string|integer|nil @how long it plays
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.58 @options of conversation:send_video
---@field ['path'] string|nil @the file to upload
---@field ['url'] string|nil @instead of path: an address that is sent as it is, and not looked at
---@field ['filename'] string|nil @the name that the receiver sees; default: the last part of path
---@field ['size'] integer|nil @with url: how many bytes it has, if known
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['width'] integer|nil @pixels
---@field ['height'] integer|nil @pixels
---@field ['duration'] string|integer|nil @how long it plays
---@field ['thumbnail'] string|nil @a picture to upload as its still; default: one that the cloud makes
---@field ['thumbnail_width'] integer|nil @of the thumbnail that the cloud makes
---@field ['thumbnail_height'] integer|nil @likewise
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.59 @options of conversation:send_file
---@field ['path'] string|nil @the file to upload
---@field ['url'] string|nil @instead of path: an address that is sent as it is, and not looked at
---@field ['filename'] string|nil @the name that the receiver sees; default: the last part of path
---@field ['size'] integer|nil @with url: how many bytes it has, if known
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.60 @options of conversation:send_location
---@field ['latitude'] string @degrees
---@field ['longitude'] string @degrees
---@field ['address'] string|nil @in words
---@field ['building'] string|nil @its name
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.61 @options of conversation:send_command
---@field ['action'] string @a word of your choice
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.62 @options of conversation:send_custom
---@field ['event'] string @the name of your event
---@field ['fields'] string|nil @your fields
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.63 @options of conversation:send_combine
---@field ['messages'] string @a list of messages, as history and events give them
---@field ['title'] string|nil @what stands above it
---@field ['summary'] string|nil @what stands below the title
---@field ['text'] string|nil @what old clients show instead
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @only to these members of a group or room
---@field ['device'] string|nil @only to this device of the user
---@field ['online_only'] boolean|nil @not kept for who is offline
---@field ['receipts'] boolean|nil @ask the group for read receipts
---@field ['priority'] integer|nil @chat rooms: 0 high, 1 normal, 2 low

---@class moontide.options.64 @options of conversation:upload
---@field ['path'] string @the file
---@field ['filename'] string|nil @its name for others; default: the last part of path
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)
---@field ['thumbnail_width'] integer|nil @of the thumbnail that the cloud makes
---@field ['thumbnail_height'] integer|nil @likewise

---@class moontide.options.65 @options of message:download
---@field ['path'] string @the new file, or a folder and /
---@field ['thumbnail'] boolean|nil @the thumbnail instead
---@field ['any_size'] boolean|nil @also when it has not the size that the message says
---@field ['max_size'] integer|nil @refuse more than this many bytes
---@field ['progress'] string|nil @called with the bytes that are there, and of how many (0: not known)

---@class moontide.options.69 @options of message:edit
---@field ['kind'] string|nil @as of conversation:send
---@field ['text'] string|nil @the text
---@field ['body'] string|nil @the kind's other fields
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @as of conversation:send
---@field ['device'] string|nil @as of conversation:send
---@field ['online_only'] boolean|nil @as of conversation:send
---@field ['receipts'] boolean|nil @as of conversation:send
---@field ['priority'] integer|nil @as of conversation:send

---@class moontide.options.70 @options of conversation:delete_messages
---@field ['ids'] string[]|nil @messages, or their ids as message.id gives them; a cloud that wants to know more of a message than its id takes the id alone only of what this process has seen lately
---@field ['before'] string|integer|nil @everything that the cloud received before this time; it must not lie in the future
---@field ['why'] string|nil @the reason, for the audit

---@class moontide.options.71 @options of conversation:delete
---@field ['history'] boolean|nil @its messages too; default false
---@field ['why'] string|nil @the reason, for the audit

---@class moontide.options.79 @options of message:readers_page
---@field ['limit'] integer|nil @page size; default 500
---@field ['cursor'] string|nil @the cursor of the page before

---@class moontide.options.80 @options of message:reply
---@field ['kind'] string|nil @as of conversation:send
---@field ['text'] string|nil @the text
---@field ['body'] string|nil @the kind's other fields
---@field ['ext'] string|nil @the app's own fields
---@field ['only'] string[]|nil @as of conversation:send
---@field ['device'] string|nil @as of conversation:send
---@field ['online_only'] boolean|nil @as of conversation:send
---@field ['receipts'] boolean|nil @as of conversation:send
---@field ['priority'] integer|nil @as of conversation:send

---@class moontide.options.81 @options of conversation:ask
---@field ['timeout'] string|integer|nil @how long to wait for the answer; default 10m
---@field ['from'] string|nil @only a message of this user is the answer; default: of anybody else

---@class moontide.options.82 @options of account:on
---@field ['limit'] string|integer|nil @how long one call may take, without what it waits in conversation:ask; then it is ended with one line in the log; default 10m, 0 for none

---@class moontide.options.87 @options of moontide.cron
---@field ['timezone'] string|nil @such as Asia/Shanghai; default UTC

---@class moontide.options.88 @options of moontide.http.request
---@field ['url'] string @where
---@field ['method'] string|nil @GET, POST, PUT, DELETE; default GET
---@field ['headers'] string|nil @{ Name = "value" }
---@field ['bearer'] string|nil @a token, sent as Authorization: Bearer; it is kept out of the log
---@field ['body'] string|nil @what is sent
---@field ['json'] string|nil @a value that is sent as JSON, instead of body
---@field ['timeout'] string|integer|nil @for all of it; default 30s
---@field ['max_bytes'] integer|nil @of the answer; default 4 MiB

---@class moontide.options.97 @options of moontide.progress
---@field ['label'] string|nil @what is being done
---@field ['done'] integer|nil @how much
---@field ['total'] integer|nil @of how much, if known
---@field ['unit'] string|nil @of what
---@field ['extra'] string|nil @more text

