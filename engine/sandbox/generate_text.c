#include "sandbox/generate_text_int.h"

#include "sandbox/faults_int.h"

#include <stdio.h>
#include <string.h>

/* # stands for a number, @ for a thing. */
static const char *const ENGLISH[] = {
    "Hi, is anybody there?",
    "Order #### has not arrived yet, could you have a look?",
    "The @ I got is broken at one corner.",
    "Sure, let me check that for you.",
    "It left our warehouse on the #th, you should have it by tomorrow.",
    "Thanks!",
    "thank you so much, that was quick",
    "Can I return the @ and get the bigger one instead?",
    "Yes. Please send it back within # days and mention case ####.",
    "ok",
    "Still the same after a restart :(",
    "Which version does it show under Settings > About?",
    "It says 4.#.#, build ####",
    "Please update first; # fixes that.",
    "lol",
    "see you at # then",
    "I'll be about # minutes late, traffic is terrible.",
    "No problem, take your time.",
    "Does the @ come with a charger?",
    "It does not, but any USB-C one with #0 W will do.",
    "Who has the notes from Monday?",
    "They are in the shared folder, file ####.",
    "The invoice for the @ shows the wrong address.",
    "I have corrected it, invoice #### is on its way to your inbox.",
    "Anything else that I can do for you?",
    "That's all, have a nice day!",
    "Deploy of service-# finished, # warnings.",
    "rolling back, error rate is at #%",
    "looks good now",
    "Could somebody review !#### before lunch?",
    "done, two small remarks",
    "We still have ## of the @ in stock.",
    "What is the price for ## pieces?",
    "<b>not bold</b> & \"quoted\", just to be sure",
};

static const char *const CHINESE[] = {
    "你好，请问在吗？",
    "在的，有什么可以帮您？",
    "订单####什么时候发货？",
    "已经发出了，预计#天内送到。",
    "好的，谢谢！",
    "收到的@有点问题，可以换一个吗？",
    "可以的，麻烦您把照片发一下。",
    "不客气，祝您生活愉快🙂",
    "这个@还有货吗？",
    "还有##件，今天下单今天发。",
    "群里谁有上次会议的记录？",
    "我晚到#分钟，你们先开始。",
    "收到",
    "哈哈哈",
    "退款已经处理，#个工作日内到账，单号####。",
    "升级到4.#.#以后就好了。",
};

static const char *const THINGS[] = {"keyboard", "lamp",       "kettle",  "monitor",
                                     "backpack", "phone case", "headset", "desk",
                                     "jacket",   "printer",    "router",  "chair"};
static const char *const FIRST[] = {"mia",  "noah", "li",   "wei",   "anna", "omar", "zoe",  "ivan",
                                    "yuki", "lena", "jose", "priya", "tom",  "fang", "nina", "sam"};
static const char *const SECOND[] = {"chen", "smith", "wang", "garcia", "kim",   "novak",
                                     "sato", "meyer", "khan", "zhang",  "silva", "brown"};
static const char *const TITLES[] = {"Release crew", "售后支持",  "Weekend hikers", "Night shift",
                                     "产品讨论",     "Book club", "Suppliers",      "校友群",
                                     "On call",      "Family"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t below(uint64_t *random, size_t n)
{
    return (size_t)(mt_sb_random(random) % n);
}

/* Copies a sentence with its gaps filled; stops where the room ends, between characters. */
static size_t sentence(uint64_t *random, const char *text, char *out, size_t cap)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '@') {
            const char *thing = THINGS[below(random, COUNT(THINGS))];
            size_t n = strlen(thing);
            if (len + n >= cap)
                break;
            memcpy(out + len, thing, n);
            len += n;
            continue;
        }
        if (len + 5 >= cap && (*at & 0xc0) != 0x80)
            break;
        out[len++] = *at == '#' ? (char)('1' + below(random, 9)) : *at;
    }
    out[len] = '\0';
    return len;
}

size_t mt_sb_generate_text(uint64_t *random, char *out, size_t cap)
{
    bool chinese = below(random, 10) < 4;
    size_t n = below(random, 10) < 7 ? 1 : 2 + below(random, 2);
    size_t len = 0;
    for (size_t i = 0; i < n && cap - len > 64; i++) {
        if (i > 0 && !chinese)
            out[len++] = ' ';
        const char *text = chinese ? CHINESE[below(random, COUNT(CHINESE))]
                                   : ENGLISH[below(random, COUNT(ENGLISH))];
        len += sentence(random, text, out + len, cap - len);
    }
    return len;
}

void mt_sb_generate_name(uint64_t *random, uint32_t number, char *out, size_t cap)
{
    (void)snprintf(out, cap, "%s-%s-%u", FIRST[below(random, COUNT(FIRST))],
                   SECOND[below(random, COUNT(SECOND))], number);
}

void mt_sb_generate_title(uint64_t *random, char *out, size_t cap)
{
    (void)snprintf(out, cap, "%s", TITLES[below(random, COUNT(TITLES))]);
}
