/* See certs.h. */
#include "certs.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DAY_S = 24 * 3600 };

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "test certificates: %s\n", what);
        abort();
    }
}

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    must(ext && X509_add_ext(cert, ext, -1), "extension");
    X509_EXTENSION_free(ext);
}

/* ca NULL: self-signed. */
static X509 *make(EVP_PKEY *key, const char *name, const char *san, X509 *ca, EVP_PKEY *ca_key,
                  long from_s, long to_s)
{
    static long serial = 1;
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();
    must(cert && subject, "memory");
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_subject_name(cert, subject);
    X509_set_issuer_name(cert, ca ? X509_get_subject_name(ca) : subject);
    X509_set_pubkey(cert, key);
    extend(cert, NID_basic_constraints, san ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (san) {
        extend(cert, NID_subject_alt_name, san);
    } else {
        extend(cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    must(X509_sign(cert, ca ? ca_key : key, EVP_sha256()) > 0, "signing");
    X509_NAME_free(subject);
    return cert;
}

static void save(const char *path, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    must(file != NULL, path);
    must(cert ? PEM_write_X509(file, cert)
              : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
         path);
    fclose(file);
}

char *certs_path(const struct certs *certs, int kind, const char *suffix, char *out)
{
    sprintf(out, "%s/%d.%s", certs->dir, kind, suffix);
    return out;
}

char *certs_ca(const struct certs *certs, char *out)
{
    sprintf(out, "%s/ca.pem", certs->dir);
    return out;
}

void certs_make(struct certs *certs)
{
    static const char good[] = "DNS:localhost,IP:127.0.0.1";
    char path[128];
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *strange_key = EVP_EC_gen("P-256");
    X509 *ca = make(ca_key, "moontide test CA", NULL, NULL, NULL, -DAY_S, DAY_S);
    X509 *strange = make(strange_key, "somebody else's CA", NULL, NULL, NULL, -DAY_S, DAY_S);
    X509 *forged = make(strange_key, "moontide test CA", NULL, NULL, NULL, -DAY_S, DAY_S);
    snprintf(certs->dir, sizeof certs->dir, "%.40s/mt-certs-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    must(mkdtemp(certs->dir) != NULL, "mkdtemp");
    save(certs_ca(certs, path), ca, NULL);
    for (int kind = 0; kind < CERT_KINDS; kind++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        bool strangers = kind == CERT_OTHER_CA || kind == CERT_FORGED_CA;
        X509 *issuer = kind == CERT_SELF_SIGNED ? NULL
                       : kind == CERT_OTHER_CA  ? strange
                       : kind == CERT_FORGED_CA ? forged
                                                : ca;
        long from_s = kind == CERT_FUTURE ? DAY_S : -2 * DAY_S;
        long to_s = kind == CERT_EXPIRED ? -DAY_S : 2 * DAY_S;
        X509 *cert =
            make(key, "moontide test", kind == CERT_WRONG_HOST ? "DNS:elsewhere.example" : good,
                 issuer, strangers ? strange_key : ca_key, from_s, to_s);
        save(certs_path(certs, kind, "pem", path), cert, NULL);
        save(certs_path(certs, kind, "key", path), NULL, key);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    X509_free(ca);
    X509_free(strange);
    X509_free(forged);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(strange_key);
}

void certs_remove(struct certs *certs)
{
    char path[128];
    for (int kind = 0; kind < CERT_KINDS; kind++) {
        unlink(certs_path(certs, kind, "pem", path));
        unlink(certs_path(certs, kind, "key", path));
    }
    unlink(certs_ca(certs, path));
    rmdir(certs->dir);
}
