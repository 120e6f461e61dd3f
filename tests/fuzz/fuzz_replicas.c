/* What Redis says of its replicas. */
#include "fuzz.h"
#include "workers/redis/replicas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *info = malloc(size + 1);
    CLAIM(info);
    memcpy(info, data, size);
    info[size] = '\0';
    struct redis_replica_set online = {0}, in_step = {0};
    redis_replicas_in_step(info, false, &online);
    redis_replicas_in_step(info, true, &in_step);
    CLAIM(in_step.count <= online.count && online.count <= REDIS_REPLICAS_MAX);
    const size_t once = online.count;
    redis_replicas_in_step(info, false, &online);
    CLAIM(online.count == once); /* what is in the set is not added again */
    free(info);
    return 0;
}
