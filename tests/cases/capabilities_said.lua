-- What can be done at the account's cloud in general: one JSON object a line, before anything is connected.
local moontide = require "moontide"
local account = moontide.account "it"
for _, one in ipairs(account:capabilities()) do
  print(moontide.json.encode {
    provider = account.provider, capability = one.name, can = one.can, meaning = one.meaning, why = one.why })
end
