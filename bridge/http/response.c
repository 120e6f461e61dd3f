#include "response.h"

#include <stddef.h>

static const struct answer_row {
    const char *code;
    int status;
    const char *body;
} answer_rows[RESPONSE_COUNT] = {
    [RESPONSE_RECEIVED] = {"received", 200, "{\"received\":true}"},
    [RESPONSE_DUPLICATE] = {"duplicate", 200, "{\"received\":true,\"duplicate\":true}"},
    [RESPONSE_HEALTHY] = {"healthy", 200, "{\"ok\":true}"},
#define ERROR_ROW(name, code, status, sentence)                                                                        \
    [RESPONSE_##name] = {code, status, "{\"error\":{\"code\":\"" code "\",\"message\":\"" sentence "\"}}"},
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
        {503, "Service Unavailable"},
    };
    const int status = response_status(answer);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return "Unknown";
}

bool response_loses_callback(enum response answer)
{
    return answer == RESPONSE_CALLBACK_NOT_CONFIGURED || answer == RESPONSE_INVALID_CAMPAIGN ||
           answer == RESPONSE_MISSING_TOKEN || answer == RESPONSE_INVALID_TOKEN;
}
