/* What civetweb can take in at most: reads a webhook, checks its signature, answers 200; nothing is kept. Prints "ready"
   and serves until SIGTERM. Used by scripts/bench. Uses PORT and WEBHOOK_SECRET. */
#include "common/bytes.h"
#include "common/signature.h"

#include <civetweb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODY_MAX = 65536 };

static bool read_body(struct mg_connection *connection, char *body, size_t len)
{
    size_t got = 0;
    while (got < len) {
        int count = mg_read(connection, body + got, len - got);
        if (count <= 0)
            return false;
        got += (size_t)count;
    }
    return true;
}

static int answer(struct mg_connection *connection, const char *status)
{
    return mg_printf(connection, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status) > 0;
}

static int take(struct mg_connection *connection, void *context)
{
    struct hmac_key *key = context;
    const struct mg_request_info *request = mg_get_request_info(connection);
    char body[BODY_MAX];

    if (request->content_length < 0 || request->content_length > BODY_MAX ||
        !read_body(connection, body, (size_t)request->content_length))
        return answer(connection, "400 Bad Request");
    if (signature_guide_verify(&key, 1, mg_get_header(connection, "X-DropCowboy-Signature"),
                               bytes_of(body, (size_t)request->content_length)) != SIGNATURE_OK)
        return answer(connection, "401 Unauthorized");
    return answer(connection, "200 OK");
}

static struct mg_context *start(struct hmac_key *key, const char *port)
{
    char ports[32];
    const char *options[] = {"listening_ports", ports, "num_threads", "300", "enable_keep_alive", "yes",
                                   "keep_alive_timeout_ms", "60000", "tcp_nodelay", "1", NULL};
    const struct mg_callbacks callbacks = {0};
    struct mg_context *server;

    (void)snprintf(ports, sizeof ports, "127.0.0.1:%s", port);
    server = mg_start(&callbacks, NULL, options);
    if (server)
        mg_set_request_handler(server, "/webhooks/dropcowboy", take, key);
    return server;
}

int main(void)
{
    const char *secret = getenv("WEBHOOK_SECRET"), *port = getenv("PORT");
    struct hmac_key *key = secret ? hmac_key_new(bytes_of_text(secret)) : NULL;
    struct mg_context *server;
    sigset_t ends;
    int came = 0;

    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL); /* before any thread: they inherit it */
    server = key && port ? start(key, port) : NULL;
    if (!server) {
        (void)fputs("usage: PORT=… WEBHOOK_SECRET=… verify_only\n", stderr);
        return 64;
    }
    puts("ready");
    (void)fflush(stdout);
    (void)sigwait(&ends, &came);
    mg_stop(server);
    hmac_key_free(key);
    return 0;
}
