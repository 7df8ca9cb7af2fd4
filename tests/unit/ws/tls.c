/* See tls.h. */
#include "tls.h"

#include "ground.h"
#include "tests.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct tls {
    struct hand *hand;
    SSL_CTX *context;
    _Atomic unsigned upgraded_n;
};

/* Reads the request and writes the answer to it. */
static bool upgrade(SSL *ssl)
{
    char text[4096] = "";
    char key[128];
    char answer[512];
    unsigned char digest[20];
    unsigned char accept[64];
    size_t len = 0;
    while (!strstr(text, "\r\n\r\n")) {
        int n = SSL_read(ssl, text + len, (int)(sizeof text - 1 - len));
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
    }
    const char *at = strcasestr(text, "\r\nsec-websocket-key:");
    if (!at)
        return false;
    at += strlen("\r\nsec-websocket-key:");
    at += strspn(at, " ");
    snprintf(key, sizeof key, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(at, "\r"),
             at);
    SHA1((unsigned char *)key, strlen(key), digest);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81\x05hello",
                     accept);
    return SSL_write(ssl, answer, n) == n;
}

static void serve(struct wire *wire, void *ud)
{
    struct tls *tls = ud;
    char byte[256];
    SSL *ssl = SSL_new(tls->context);
    SSL_set_fd(ssl, wire->fd);
    if (SSL_accept(ssl) == 1 && upgrade(ssl)) {
        tls->upgraded_n++;
        (void)SSL_read(ssl, byte, sizeof byte); /* a close frame, or the end */
    }
    SSL_free(ssl);
}

struct tls *tls_start(const char *cert, const char *key, bool only_tls_1_1)
{
    struct tls *tls = calloc(1, sizeof *tls);
    tls->context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(tls->context, cert, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls->context, key, SSL_FILETYPE_PEM), 1);
    if (only_tls_1_1) {
        assert_int_equal(SSL_CTX_set_cipher_list(tls->context, "ALL:@SECLEVEL=0"), 1);
        assert_int_equal(SSL_CTX_set_min_proto_version(tls->context, TLS1_VERSION), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(tls->context, TLS1_1_VERSION), 1);
    }
    tls->hand = hand_start(serve, tls);
    return tls;
}

void tls_stop(struct tls *tls)
{
    hand_stop(tls->hand);
    SSL_CTX_free(tls->context);
    free(tls);
}

uint16_t tls_port(const struct tls *tls)
{
    return hand_port(tls->hand);
}

unsigned tls_upgraded(struct tls *tls)
{
    return tls->upgraded_n;
}
