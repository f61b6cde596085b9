/* Answers the calls of NVIDIA's management library that the suite makes, so that the real binding is exercised where no
 * driver is. What it answers depends on the variable NVML_DEVICES (how many) and NVML_LACKS (words: energy, mig,
 * permission, lost, init, persistence, cool, processes, instant, ecc, exclusive; small: 12 GiB of memory instead of 80; capped: a
 * lower limit of power). Device i has the UUID whose bytes are all 0xa0 + i, as for the stand-in of CUDA. A lost device answers twice, then no more. Counters grow with
 * each call, and so does the memory used. Where it knows processes, it lists the caller's parent and a stranger. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NO_PERMISSION = 4, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
static int calls = 0;
static int lacks(const char *word) { const char *said = getenv("NVML_LACKS"); return said && strstr(said, word); }
static int gone(void) { return lacks("lost") && ++calls > 2 ? GPU_IS_LOST : SUCCESS; }

int nvmlInitWithFlags(unsigned flags) { return lacks("init") ? DRIVER_NOT_LOADED : SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return "an error of the stand-in"; }
int nvmlDeviceGetCount_v2(unsigned *count) { const char *n = getenv("NVML_DEVICES"); *count = n ? atoi(n) : 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    unsigned count; nvmlDeviceGetCount_v2(&count);
    *device = (void *)(size_t)(index + 1);
    return index < count ? SUCCESS : 2;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    unsigned first = 0;
    if (strncmp(uuid, "GPU-", 4) || sscanf(uuid + 4, "%2x", &first) != 1 || first < 0xa0) return 6; /* not found */
    return nvmlDeviceGetHandleByIndex_v2(first - 0xa0, device) ? 6 : SUCCESS;
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "580.95.05"); return SUCCESS; }
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *later) { *now = *later = lacks("mig") ? 1 : 0; return SUCCESS; }
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) { *count = lacks("mig") ? 7 : 0; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **instance) { return 6; }
int nvmlDeviceGetComputeMode(void *device, unsigned *mode) { *mode = lacks("exclusive") ? 3 : 0; return SUCCESS; }
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *mw) { *mw = lacks("capped") ? 350000 : 700000; return SUCCESS; }
int nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *mhz) { *mhz = kind == 1 ? 1980 : 2619; return SUCCESS; }
int nvmlDeviceGetApplicationsClock(void *device, int kind, unsigned *mhz) { return NOT_SUPPORTED; }
int nvmlDeviceGetEccMode(void *device, unsigned *now, unsigned *later) { *now = *later = 1; return lacks("ecc") ? NOT_SUPPORTED : SUCCESS; }
typedef struct {
    unsigned field, scope; long long at, latency; int type, code;
    union { double real; unsigned number; unsigned long long large; } value;
} field;
int nvmlDeviceGetFieldValues(void *device, int count, field *fields) {
    for (int i = 0; i < count; i++) {
        fields[i].code = fields[i].field == 186 && !lacks("instant") && !lacks("permission") ? SUCCESS : NOT_SUPPORTED;
        fields[i].value.number = 260000; /* milliwatts */
    }
    return gone();
}
int nvmlDeviceGetUtilizationRates(void *device, unsigned *rates) {
    if (lacks("mig")) return NOT_SUPPORTED;
    rates[0] = 40 + (unsigned)(size_t)device; rates[1] = 10;
    return gone();
}
int nvmlDeviceGetMemoryInfo_v2(void *device, unsigned long long *memory) {
    static unsigned long long more = 0;
    memory[1] = (lacks("small") ? 12ull : 80ull) << 30; /* total; then reserved, free, used; version and padding come first */
    memory[4] = (3ull << 30) + (more++ << 20);
    memory[3] = memory[1] - memory[4];
    return gone();
}
typedef struct { unsigned pid; unsigned long long bytes; unsigned gpu, compute; } process;
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process *found) {
    unsigned room = *count;
    *count = 2;
    if (room < 2 || !found) return 7; /* insufficient size */
    found[0] = (process){lacks("processes") ? 1u << 30 : (unsigned)getppid(), 700ull << 20, 0, 0};
    found[1] = (process){(1u << 30) + 1, 5ull << 30, 0, 0};
    return gone();
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    if (lacks("permission")) return NO_PERMISSION;
    *milliwatts = 250000;
    return gone();
}
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    static unsigned long long drawn = 1000000;
    if (lacks("energy")) return NOT_SUPPORTED;
    *millijoules = drawn += 25000;
    return gone();
}
int nvmlDeviceGetClockInfo(void *device, int kind, unsigned *mhz) { *mhz = 1410; return gone(); }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) { *degrees = 55; return gone(); }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) { *bits = lacks("cool") ? 0x20 : 1; return gone(); }
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *bits) {
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, bits);
}
int nvmlDeviceGetPersistenceMode(void *device, unsigned *mode) { *mode = !lacks("persistence"); return gone(); }
