#include "exchange.h"

#include "civetweb_quirks.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/timers.h"
#include "framing.h"
#include "refusals.h"

#include <stdio.h>
#include <string.h>

enum {
    WRITE_MS = TIMER_MS(4000), /* an answer that its client does not read */
    HEAD_SIZE = 320,
    /* Longer than any header value that can be right: a longer one is cut and stays wrong. */
    HEADER_SIZE = 192,
    OUR_HEADERS = 6,
};

/* One request on its way through. */
struct exchange {
    struct exchange_service *service;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    struct http_field fields[FRAMING_MAX_FIELDS];
    size_t field_count;
    struct framing framing;
    struct ingest_request request;
    struct ingest_decision decision;
    const char *problem; /* what is wrong with its framing */
    struct connection *place;
    struct body body;
    enum connection_cut cut;
    char texts[OUR_HEADERS][HEADER_SIZE];
    size_t text_count;
    bool body_unread;   /* the client may still be sending */
    bool continued;     /* 100 Continue was said */
    bool must_close;
};

/* ---- the answer ---- */

/* From here on the answer has a deadline: not the library's own 10 s for each piece that a slow reader takes. */
static void begin_answer(struct exchange *x)
{
    const enum connection_cut cut = connection_enter(x->place, CONNECTION_WRITING, clock_monotonic_ms() + WRITE_MS);

    if (cut != CUT_NONE)
        x->cut = cut;
    x->must_close |= x->cut != CUT_NONE;
}

static void write_answer(struct exchange *x, enum response answer, bool close)
{
    const struct response_row *row = response_row(answer);
    const size_t body_len = strlen(row->body);
    char text[HEAD_SIZE + 256];
    char extra[64] = "";
    int len;

    if (answer == RESPONSE_METHOD_NOT_ALLOWED)
        snprintf(extra, sizeof extra, "Allow: %s\r\n", routes_allow(x->decision.match.route));
    else if (answer == RESPONSE_UNAVAILABLE) /* spread, so that those refused together do not come back together */
        snprintf(extra, sizeof extra, "Retry-After: %u\r\n", 1 + atomic_fetch_add(&x->service->retry_turn, 1) % 5);
    len = snprintf(text, sizeof text,
                   "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%sConnection: %s\r\n\r\n", row->status,
                   mg_get_response_code_text(x->connection, row->status), body_len, extra, close ? "close" : "keep-alive");
    /* HEAD_SIZE holds the longest head, the rest the longest body of errors.def. */
    if (!x->request.method || strcmp(x->request.method, "HEAD") != 0) {
        memcpy(text + len, row->body, body_len);
        len += (int)body_len;
    }
    if (mg_write(x->connection, text, (size_t)len) != len)
        mg_disable_connection_keep_alive(x->connection);
}

static void count_answer(struct exchange *x, enum response answer)
{
    struct bridge_metrics *metrics = x->service->metrics;
    /* What was refused before it was verified, or could not be kept, has another answer (see ingest). */
    const bool kept = answer == RESPONSE_INVALID_JSON && x->decision.scheme != ENVELOPE_OFF;

    bridge_count(metrics, METRIC_REQUESTS + answer, 1);
    if (kept)
        bridge_count(metrics, METRIC_KEPT_INVALID, 1);
    if (kept || !response_row(answer)->remedy)
        return;
    if (x->decision.match.route == ROUTE_CALLBACK)
        bridge_count(metrics, METRIC_REFUSED_CALLBACKS, 1);
    refusals_note(x->service->refusals,
                  &(struct refusal){answer, &x->request, &x->decision.match, x->info->remote_addr, x->problem},
                  clock_monotonic_ms(), clock_wall_ms());
}

/* ---- the body ---- */

/* To a request that is broken or ends too early. It may be our doing: then the sender is to come again. */
static enum response answer_to_cut_off(struct exchange *x)
{
    x->must_close = true;
    if (x->cut == CUT_DEADLINE)
        return RESPONSE_BODY_TIMEOUT;
    return x->cut != CUT_NONE || atomic_load(&x->service->draining) ? RESPONSE_UNAVAILABLE : RESPONSE_BAD_REQUEST;
}

/* RESPONSE_RECEIVED once the message holds the whole body. */
static enum response read_body(struct exchange *x)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum response answer;

    if (x->framing.body == FRAMING_NO_BODY)
        return RESPONSE_RECEIVED;
    if (x->framing.body == FRAMING_LENGTH && x->framing.length > x->service->body.max_bytes)
        return RESPONSE_PAYLOAD_TOO_LARGE;
    if (x->framing.expect_continue)
        (void)mg_write(x->connection, go_on, sizeof go_on - 1);
    x->continued = true;
    answer = body_read(&x->body, x->connection, x->place, &x->framing, &x->service->body, &x->cut);
    /* The reading side is shut by then, even if the last byte just made it. */
    x->must_close = x->cut != CUT_NONE;
    if (answer == RESPONSE_BAD_REQUEST)
        answer = answer_to_cut_off(x);
    x->body_unread = answer != RESPONSE_RECEIVED;
    return answer;
}

/* ---- one request ---- */

/* The text of one of OUR_HEADERS without outer white space; NULL if there is none. */
static const char *header(struct exchange *x, const char *name)
{
    char *text = x->texts[x->text_count++];

    return framing_text(x->fields, x->field_count, name, text, HEADER_SIZE) ? text : NULL;
}

static void read_head(struct exchange *x)
{
    const struct mg_request_info *info = x->info;

    x->field_count = info->num_headers > 0 ? (size_t)info->num_headers : 0;
    for (size_t i = 0; i < x->field_count; i++)
        x->fields[i] = (struct http_field){info->http_headers[i].name, info->http_headers[i].value};
    x->request = (struct ingest_request){
        .method = info->request_method,
        .path = info->local_uri_raw ? info->local_uri_raw : "",
        .query = info->query_string,
        .guide_signature = header(x, "X-DropCowboy-Signature"),
        .v1_signature = header(x, "X-Signature"),
        .v1_timestamp = header(x, "X-Timestamp"),
        .v1_version = header(x, "X-Signature-Version"),
        .event_id = header(x, "X-Event-Id"),
        .attempt = header(x, "X-Attempt"),
    };
}

static enum response check_framing(struct exchange *x)
{
    const bool too_many = x->field_count >= FRAMING_MAX_FIELDS;
    struct http_head head = {.method = x->info->request_method,
                             .target = x->info->request_uri,
                             .query = x->info->query_string,
                             .version = x->info->http_version,
                             .fields = x->fields,
                             .count = x->field_count};
    const char *problem;

    civetweb_head(x->connection, &head.start, &head.end);
    problem = too_many ? "too many header fields" : framing_of_head(&head);
    if (!problem)
        problem = framing_of_fields(head.version, x->fields, x->field_count, &x->framing);
    if (!problem)
        return RESPONSE_RECEIVED;
    log_debug("refused a request from %s: %s", x->info->remote_addr, problem);
    x->problem = problem;
    x->must_close = true;
    x->body_unread = true;
    return too_many ? RESPONSE_HEADERS_TOO_LARGE : RESPONSE_BAD_REQUEST;
}

/* parse → ingest_check → read the body → ingest_accept */
static enum response judge(struct exchange *x)
{
    struct ingest_times times;
    enum response answer = check_framing(x);

    if (answer != RESPONSE_RECEIVED)
        return answer;
    x->body_unread = x->framing.body != FRAMING_NO_BODY;
    answer = ingest_check(x->service->ingest, &x->request, clock_wall_ms() / 1000, &x->decision);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    answer = read_body(x);
    if (answer != RESPONSE_RECEIVED)
        return answer;
    times = (struct ingest_times){.received_at_ms = clock_wall_ms(),
                                  .arrived_ms = clock_monotonic_ms(),
                                  .last_ms = atomic_load(&x->service->last_ms)};
    return ingest_accept(x->service->ingest, &x->decision, &x->request, x->body.message, &times);
}

int exchange_serve(struct mg_connection *connection, struct exchange_service *service)
{
    struct exchange x = {.service = service, .connection = connection, .place = mg_get_thread_pointer(connection),
                         .info = mg_get_request_info(connection)};
    enum response answer;
    bool close;

    bridge_count(x.service->metrics, METRIC_IN_FLIGHT, 1);
    read_head(&x);
    answer = judge(&x);
    count_answer(&x, answer);
    begin_answer(&x);
    if (answer == RESPONSE_RECEIVED || answer == RESPONSE_DUPLICATE)
        connection_verified(x.place);
    close = x.must_close || x.body_unread || answer == RESPONSE_BAD_REQUEST || atomic_load(&x.service->draining) ||
            connections_are_short(service->body.connections) ||
            !framing_keeps_alive(x.info->http_version, x.fields, x.field_count);
    if (close)
        mg_disable_connection_keep_alive(connection);
    write_answer(&x, answer, close);
    if (x.body_unread && x.cut == CUT_NONE && (x.continued || !x.framing.expect_continue))
        body_discard(connection, x.place);
    body_clear(&x.body, &service->body);
    (void)connection_enter(x.place, CONNECTION_IDLE, 0);
    bridge_count(x.service->metrics, METRIC_IN_FLIGHT, -1);
    return response_row(answer)->status;
}

void exchange_refuse(struct mg_connection *connection, struct exchange_service *service, int status)
{
    struct exchange x = {.service = service, .connection = connection, .place = mg_get_thread_pointer(connection),
                         .info = mg_get_request_info(connection)};
    enum response answer;

    log_debug("refused a request: the HTTP library says %d", status);
    begin_answer(&x);
    answer = civetweb_head_is_too_large(connection) ? RESPONSE_HEADERS_TOO_LARGE : answer_to_cut_off(&x);
    count_answer(&x, answer);
    mg_disable_connection_keep_alive(connection);
    write_answer(&x, answer, true);
}
