#include "response.h"

#include <stddef.h>

static const struct answer_row {
    const char *code;
    int status;
    const char *body, *remedy;
} answer_rows[RESPONSE_COUNT] = {
    [RESPONSE_RECEIVED] = {"received", 200, "{\"received\":true}", NULL},
    [RESPONSE_DUPLICATE] = {"duplicate", 200, "{\"received\":true,\"duplicate\":true}", NULL},
    [RESPONSE_HEALTHY] = {"healthy", 200, "{\"ok\":true}", NULL},
#define ERROR_ROW(name, code, status, sentence, remedy)                                                                \
    [RESPONSE_##name] = {code, status, "{\"error\":{\"code\":\"" code "\",\"message\":\"" sentence "\"}}", remedy},
#include "errors.def"
#undef ERROR_ROW
};

int response_status(enum response answer)
{
    return answer_rows[answer].status;
}

const char *response_code(enum response answer)
{
    return answer_rows[answer].code;
}

const char *response_body(enum response answer)
{
    return answer_rows[answer].body;
}

const char *response_status_text(enum response answer)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
    };
    const int status = response_status(answer);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "Unknown";
}

const char *response_remedy(enum response answer)
{
    return answer_rows[answer].remedy;
}
