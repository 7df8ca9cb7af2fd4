/* The text of `moontide sandbox --help`: here, where the clouds have names. */
#include "sandbox/sandbox.h"

static const char help[] =
    "usage: moontide sandbox [--listen HOST:PORT] [--load FILE.jsonl]... [--owner USER] "
    "[--generate N]\n"
    "                        [--faults SPEC] [--rongcloud SPEC] [--clouds easemob|rongcloud] "
    "[--strict-users]\n"
    "\n"
    "Serves two IM clouds from memory on loopback, Easemob and RongCloud: the real protocols with "
    "their real\n"
    "limits, for writing and rehearsing scripts without an account. Prints one line of JSON when "
    "it listens, then serves "
    "until Ctrl-C.\n"
    "\n"
    "  --listen HOST:PORT  where to listen (default 127.0.0.1, any free port); loopback only\n"
    "  --load FILE         messages, one JSON object a line: chat, conversation, from, ts, text; "
    "repeatable\n"
    "  --owner USER        the account that owns the loaded conversations (default agent)\n"
    "  --generate N        make up N messages\n"
    "  --faults SPEC       misbehave on purpose, e.g. latency=50ms,p5xx=0.05,seed=7 "
    "(docs/sandbox.md)\n"
    "  --rongcloud SPEC    what RongCloud's side announces and limits, e.g. grpRRVer=4,ugMsg=1\n"
    "  --clouds NAME       easemob or rongcloud: loaded and generated messages go to that one "
    "alone\n"
    "  --strict-users      only users that exist already may log in\n"
    "  --help              this text\n";

const char *mt_sandbox_help(void)
{
    return help;
}
