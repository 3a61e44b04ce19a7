#include "model/secret.h"

#include "base/id.h"
#include "base/mem.h"
#include "codec/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    KEY_LEN = 32,
    NONCE_LEN = 12,
    TAG_LEN = 16,
    VERSION = 1,
    HEAD_LEN = 1 + NONCE_LEN + TAG_LEN
};

/* sealed = base64(version, nonce, tag, ciphertext) */

struct secret {
    unsigned char key[KEY_LEN];
};

/* Written beside and renamed: half a key would make every secret unreadable. */
static bool make_key(int dir, struct err *err)
{
    unsigned char key[KEY_LEN];
    id_random(key, sizeof key);
    AUTO(fd)
    int fd =
        openat(dir, "secret.key.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0 &&
              renameat(dir, "secret.key.tmp", dir, "secret.key") == 0 && fsync(dir) == 0;
    OPENSSL_cleanse(key, sizeof key);
    return ok || err_os(err, errno ? errno : ENOSPC, "make secret.key");
}

static bool read_key(int dir, struct secret *secret, struct err *err)
{
    AUTO(fd) int fd = openat(dir, "secret.key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_os(err, errno, "open secret.key");
    if (read(fd, secret->key, KEY_LEN) != KEY_LEN)
        return err_set(err, FAULT_INTERNAL, "secret.key is damaged: it must be %d bytes", KEY_LEN);
    return true;
}

struct secret *secret_open(const char *path, struct err *err)
{
    AUTO(fd) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        err_os(err, errno, "open %s", path);
        return NULL;
    }
    if (faccessat(dir, "secret.key", F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT &&
        !make_key(dir, err))
        return NULL;
    struct secret *secret = NEW(secret);
    if (!read_key(dir, secret, err)) {
        secret_free(secret);
        return NULL;
    }
    return secret;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    OPENSSL_cleanse(secret->key, sizeof secret->key);
    free(secret);
}

static const unsigned char *bytes(struct slice s)
{
    return (const unsigned char *)(s.p ? s.p : "");
}

struct slice secret_seal(const struct secret *secret, struct arena *arena, struct slice owner,
                         struct slice plain)
{
    AUTO(buf) struct buf out = BUF_INIT(SIZE_MAX);
    unsigned char *sealed = arena_alloc(arena, HEAD_LEN + plain.n);
    unsigned char *nonce = sealed + 1;
    unsigned char *tag = nonce + NONCE_LEN;
    int n = 0;
    must(plain.n < INT32_MAX / 2 && owner.n < INT32_MAX / 2);
    sealed[0] = VERSION;
    id_random(nonce, NONCE_LEN);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, secret->key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, bytes(owner), (int)owner.n) == 1 &&
              EVP_EncryptUpdate(ctx, tag + TAG_LEN, &n, bytes(plain), (int)plain.n) == 1 &&
              EVP_EncryptFinal_ex(ctx, tag + TAG_LEN + n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    must(ok);
    must(base64_encode(&out, (struct slice){(const char *)sealed, HEAD_LEN + plain.n}));
    return arena_dup(arena, buf_all(&out));
}

static bool decrypt(const struct secret *secret, struct slice owner, unsigned char *sealed,
                    size_t length, unsigned char *out)
{
    unsigned char *nonce = sealed + 1;
    unsigned char *tag = nonce + NONCE_LEN;
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, secret->key, nonce) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, bytes(owner), (int)owner.n) == 1 &&
              EVP_DecryptUpdate(ctx, out, &n, tag + TAG_LEN, (int)length) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool secret_unseal(const struct secret *secret, struct arena *arena, struct slice owner,
                   struct slice sealed, struct slice *out_plain, struct err *err)
{
    AUTO(buf) struct buf raw = BUF_INIT(sealed.n + 1);
    if (!base64_decode(&raw, sealed) || raw.n < HEAD_LEN || raw.p[0] != VERSION ||
        raw.n > INT32_MAX)
        return err_set(err, FAULT_INTERNAL, "a sealed value is damaged");
    size_t length = raw.n - HEAD_LEN;
    unsigned char *plain = arena_alloc(arena, length + 1);
    if (!decrypt(secret, owner, (unsigned char *)raw.p, length, plain))
        return err_set(err, FAULT_INTERNAL,
                       "variables of %.*s cannot be decrypted: secret.key is not the one that they "
                       "were encrypted with",
                       FMT(owner));
    *out_plain = (struct slice){(char *)plain, length};
    return true;
}
