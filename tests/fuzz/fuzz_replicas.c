/* What Redis says of its replicas. */
#include "fuzz.h"
#include "workers/redis/replica_gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *info = malloc(size + 1);
    CLAIM(info);
    memcpy(info, data, size);
    info[size] = '\0';
    struct replica_gate gate = replica_gate_of(-1, true);
    replica_gate_connected(&gate, info, 1000);
    CLAIM(gate.count <= REPLICAS_MAX && replica_gate_wanted(&gate) >= 1);
    const size_t once = gate.count;
    replica_gate_look(&gate, info, 1001);
    CLAIM(gate.count == once); /* who is known does not come again */
    const struct replica_verdict few = replica_gate_judge(&gate, 0, info, 1000 + 10 * REPLICA_FAILOVER_MS);
    CLAIM(few.answer != REPLICA_ACKNOWLEDGE);
    free(info);
    return 0;
}
