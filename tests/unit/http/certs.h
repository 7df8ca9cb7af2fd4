/* A throw-away certificate authority and the certificates that the TLS tests need, made when asked
 * for. */
#ifndef MT_TESTS_UNIT_HTTP_CERTS_H
#define MT_TESTS_UNIT_HTTP_CERTS_H

enum cert_kind {
    CERT_GOOD,        /* for localhost, signed by the CA */
    CERT_EXPIRED,     /* since yesterday */
    CERT_FUTURE,      /* from tomorrow on */
    CERT_WRONG_HOST,  /* for elsewhere.example */
    CERT_SELF_SIGNED, /* for localhost, by itself */
    CERT_OTHER_CA,    /* for localhost, by a CA that nobody knows */
    CERT_FORGED_CA,   /* likewise, and that CA bears the good one's name */
    CERT_KINDS,
};

/* A directory of its own with ca.pem, and N.pem and N.key for each kind. */
struct certs {
    char dir[64];
};

void certs_make(struct certs *certs);
void certs_remove(struct certs *certs);
/* out must hold 128 bytes. */
char *certs_path(const struct certs *certs, int kind, const char *suffix, char *out);
char *certs_ca(const struct certs *certs, char *out);

#endif
