/* Policy documents: whatever comes is taken or refused with a text, twice the same; and what is
 * encoded for an answer holds nothing but letters, digits and percent escapes. */
#include "base/mem.h"
#include "services/iam_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoded(struct slice text, struct slice encoded)
{
    size_t n = 0;
    for (size_t i = 0; i < encoded.n; i++) {
        unsigned char c = (unsigned char)encoded.p[i];
        must(c > 0x20 && c < 0x7f && c != '"' && c != '<' && c != '&');
        if (c == '%')
            i += 2;
        n++;
    }
    must(n == text.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena) struct arena *arena = arena_new();
    struct slice text = {(const char *)data, size};
    for (int kind = IAM_IDENTITY_POLICY; kind <= IAM_TRUST_POLICY; kind++) {
        struct slice fault = iam_document_fault(text, (enum iam_document)kind, arena);
        struct slice again = iam_document_fault(text, (enum iam_document)kind, arena);
        must(slice_eq(fault, again) && (fault.p == NULL) == (again.p == NULL));
    }
    must(iam_document_size(text) <= size);
    check_encoded(text, iam_document_encode(arena, text));
    return 0;
}
