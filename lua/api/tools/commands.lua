-- Makes the manual page and the shell completion from what the program itself says with --help, so that neither can say
-- anything else. lua5.4 commands.lua PROGRAM man|bash
local program, mode = arg[1], arg[2]

local function help_of(verb)
  local pipe = assert(io.popen(("'%s' %s --help </dev/null"):format(program:gsub("'", "'\\''"), verb)))
  local text = pipe:read "a"
  assert(pipe:close(), verb .. " has no --help")
  return text
end

local whole = help_of ""
local verbs = {}
for name, summary in whole:gmatch "\n  (%l+) +([^\n]+)" do
  verbs[#verbs + 1] = { name = name, summary = summary, help = help_of(name) }
end
assert(#verbs > 8, "the program names no commands")

--- {usage, text before the options, {{option, meaning}, …}, text behind}: paragraphs as lines.
local function parts_of(help)
  local usage, intro, options, outro = {}, {}, {}, {}
  local place = usage
  for line in (help .. "\n"):gmatch "(.-)\n" do
    local option, meaning = line:match "^  +(%-.-)  +(%S.*)$"
    if not option and line:match "^  %-%-?%S+ " then option, meaning = line:match "^  (%-%-%S+ %S+) (.*)$" end
    if option then
      options[#options + 1] = { option, meaning }
      place = outro
    elseif place == outro and line:match "^%s%s%s%s%s%s%s" and #outro == 0 then
      options[#options][2] = options[#options][2] .. " " .. line:match "^%s*(.*)"
    elseif place == usage and not (line:match "^usage:" or line:match "^%s%s%s%s") then
      place = intro
      if line ~= "" then place[#place + 1] = line end
    else
      place[#place + 1] = line
    end
  end
  return usage, intro, options, outro
end

local function roff(text) return (text:gsub("\\", "\\e"):gsub("^([.'])", "\\&%1"):gsub("%-", "\\-")) end

local function man()
  local out = {}
  local function put(line) out[#out + 1] = line end
  local function plain(lines)
    while lines[1] == "" do table.remove(lines, 1) end
    while lines[#lines] == "" do table.remove(lines) end
    if #lines == 0 then return end
    put ".nf"
    for _, line in ipairs(lines) do put(roff(line)) end
    put ".fi"
  end
  local version = assert(io.popen(("'%s' --version"):format(program))):read "a":match "(%S+)%s*$"
  put(('.TH MOONTIDE 1 "" "moontide %s" "User commands"'):format(version))
  put ".SH NAME\nmoontide \\- run Lua scripts against accounts of IM clouds"
  put ".SH SYNOPSIS\n.B moontide\n.I command\n[\\fIoptions\\fR]"
  put ".SH COMMANDS"
  for _, verb in ipairs(verbs) do
    put(".SS " .. verb.name)
    put(roff(verb.summary:sub(1, 1):upper() .. verb.summary:sub(2)) .. ".")
    put ".PP"
    local usage, intro, options, outro = parts_of(verb.help)
    plain(usage)
    if #intro > 0 then put ".PP" end
    for _, line in ipairs(intro) do put(roff(line)) end
    for _, option in ipairs(options) do
      put ".TP"
      put("\\fB" .. roff(option[1]) .. "\\fR")
      put(roff(option[2]))
    end
    if #outro > 0 then put ".PP" end
    plain(outro)
  end
  put ".SH EXIT STATUS"
  for _, pair in ipairs { { "0", "done" }, { "1", "failed" }, { "2", "wrong use" },
    { "3", "done in part: gaps or skipped items, which are listed" }, { "4", "the archive is damaged" },
    { "130", "interrupted; running the same command again goes on" } } do
    put(".TP\n.B " .. pair[1] .. "\n" .. pair[2])
  end
  put ".SH FILES\n.TP\n.I ./moontide.lua\nthe configuration, else\n.TP\n.I $XDG_CONFIG_HOME/moontide/moontide.lua"
  return table.concat(out, "\n") .. "\n"
end

local function words_of(help)
  local words, seen = {}, {}
  for word in help:gmatch "[%s,](%-%-%l[%l%-]*)" do
    if not seen[word] then words[#words + 1], seen[word] = word, true end
  end
  return table.concat(words, " ")
end

local function bash()
  local out = { "# bash completion for moontide", "_moontide() {",
    '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=',
    '  case $before in', '    -c|--config|-o|--out|--load|--policy) COMPREPLY=($(compgen -f -- "$word")); return ;;', '  esac',
    '  if [ "$COMP_CWORD" -eq 1 ]; then' }
  local names = {}
  for i, verb in ipairs(verbs) do names[i] = verb.name end
  out[#out + 1] = ('    COMPREPLY=($(compgen -W "%s --help --version" -- "$word")); return'):format(table.concat(names, " "))
  out[#out + 1] = "  fi"
  out[#out + 1] = "  case ${COMP_WORDS[1]} in"
  for _, verb in ipairs(verbs) do out[#out + 1] = ('    %s) words="%s" ;;'):format(verb.name, words_of(verb.help)) end
  out[#out + 1] = "  esac"
  out[#out + 1] = '  case $word in'
  out[#out + 1] = '    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;'
  out[#out + 1] = '    *) COMPREPLY=($(compgen -f -- "$word")) ;;'
  out[#out + 1] = "  esac\n}\ncomplete -F _moontide moontide"
  return table.concat(out, "\n") .. "\n"
end

io.write((mode == "man" and man or bash)())
