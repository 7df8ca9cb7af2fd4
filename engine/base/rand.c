/* Random numbers. Seeded mode: xoshiro256** started by splitmix64 (both public domain algorithms by
 * Blackman and Vigna), so that a failing random test is repeated by its printed seed. */
#include "base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool seeded;
static uint64_t state[4];

static uint64_t rotl(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

static uint64_t next(void)
{
    uint64_t result = rotl(state[1] * 5, 7) * 9;
    uint64_t t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotl(state[3], 45);
    return result;
}

static bool seeded_bytes(unsigned char *p, size_t len)
{
    pthread_mutex_lock(&lock);
    bool done = seeded;
    while (done && len > 0) {
        uint64_t r = next();
        size_t n = len < sizeof r ? len : sizeof r;
        memcpy(p, &r, n);
        p += n;
        len -= n;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

void mt_rand_bytes(void *p, size_t len)
{
    unsigned char *at = p;
    if (seeded_bytes(at, len)) {
        return;
    }
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            abort(); /* a kernel without random numbers: no nonce would be safe */
        }
        at += n;
        len -= (size_t)n;
    }
}

uint64_t mt_rand_below(uint64_t n)
{
    if (n == 0) {
        return 0;
    }
    uint64_t reject =
        (0 - n) % n; /* 2^64 mod n: the lowest that many values would be drawn too often */
    uint64_t r = 0;
    do {
        mt_rand_bytes(&r, sizeof r);
    } while (r < reject);
    return r % n;
}

void mt_rand_seed(uint64_t seed)
{
    pthread_mutex_lock(&lock);
    seeded = seed != 0;
    for (size_t i = 0; i < 4; i++) {
        seed += 0x9E3779B97F4A7C15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        state[i] = z ^ (z >> 31);
    }
    pthread_mutex_unlock(&lock);
}
