/* Answers the calls of CUDA's driver that the suite makes, and those by which torch counts devices. NVML_DEVICES is how
 * many there are, as for the other stand-in, and both give the same UUIDs. CUDA_LACKS holds words: old (the driver
 * supports CUDA 12.4), crash, hang, init, mig (no instance), exclusive, prohibited. Like the real driver it applies
 * CUDA_VISIBLE_DEVICES, in which a UUID may be abbreviated, and gives the fastest device first, which is the last one in
 * the order of the bus, unless CUDA_DEVICE_ORDER asks for that order. CUDA_LOG names a file: each start of the driver
 * adds a line with the number of devices that it shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, NO_DEVICE = 100, NOT_FOUND = 500, UNKNOWN = 999, MOST = 16 };
static int shown[MOST], count = 0;
static int lacks(const char *word) { const char *said = getenv("CUDA_LACKS"); return said && strstr(said, word); }

static int named(const char *entry, int installed) { /* the device that an entry names, in the order of the bus; -1 for none */
    if (strncmp(entry, "GPU-", 4) == 0) {
        unsigned first = 0;
        if (sscanf(entry + 4, "%2x", &first) != 1) return -1;
        int device = (int)first - 0xa0;
        return device >= 0 && device < installed ? device : -1;
    }
    char *end;
    long index = strtol(entry, &end, 10);
    if (end == entry || index < 0 || index >= installed) return -1;
    const char *order = getenv("CUDA_DEVICE_ORDER");
    return order && strcmp(order, "PCI_BUS_ID") == 0 ? (int)index : installed - 1 - (int)index;
}

static void look(void) {
    const char *number = getenv("NVML_DEVICES"), *visible = getenv("CUDA_VISIBLE_DEVICES");
    int installed = number ? atoi(number) : 1;
    char text[256] = "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15";
    count = 0;
    if (lacks("mig")) return;
    if (visible) snprintf(text, sizeof text, "%s", visible);
    for (char *rest = text, *entry; (entry = strsep(&rest, ","));) {
        int device = named(entry, installed);
        if (device < 0) return;
        for (int i = 0; i < count; i++) if (shown[i] == device) { count = 0; return; }
        shown[count++] = device;
    }
}

int cuInit(unsigned flags) {
    if (lacks("crash")) abort();
    if (lacks("hang")) pause();
    if (lacks("init")) return UNKNOWN;
    look();
    const char *log = getenv("CUDA_LOG");
    if (log) { FILE *file = fopen(log, "a"); if (file) { fprintf(file, "%d\n", count); fclose(file); } }
    return count ? SUCCESS : NO_DEVICE;
}
int cuDriverGetVersion(int *version) { *version = lacks("old") ? 12040 : 13010; return SUCCESS; }
int cuDeviceGetCount(int *found) { *found = count; return SUCCESS; }
int cuDeviceGet(int *device, int index) { *device = index; return index < count ? SUCCESS : INVALID_VALUE; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Stand-in %d", shown[device]); return SUCCESS; }
int cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 0xa0 + shown[device], 16); return SUCCESS; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 80ull << 30; return SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 9 : attribute == 20 && lacks("exclusive") ? 3 : attribute == 20 && lacks("prohibited") ? 2 : 0;
    return SUCCESS;
}
int cuGetErrorString(int code, const char **text) {
    *text = code == NO_DEVICE ? "no CUDA-capable device is detected" : "an error of the stand-in";
    return SUCCESS;
}
int cuGetErrorName(int code, const char **text) { return cuGetErrorString(code, text); }

static int refuses(void) { return NO_DEVICE; }
static const struct { const char *name; void *function; } KNOWN[] = {
    {"cuInit", cuInit}, {"cuDriverGetVersion", cuDriverGetVersion}, {"cuDeviceGetCount", cuDeviceGetCount},
    {"cuDeviceGet", cuDeviceGet}, {"cuDeviceGetName", cuDeviceGetName}, {"cuGetErrorString", cuGetErrorString},
    {"cuGetErrorName", cuGetErrorName}, {"cuDeviceGetAttribute", cuDeviceGetAttribute},
};
int cuGetProcAddress_v2(const char *symbol, void **function, int version, unsigned long long flags, int *status) {
    *function = (void *)refuses; /* a runtime that asks for more than it may have sees no device */
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (strcmp(KNOWN[i].name, symbol) == 0) *function = KNOWN[i].function;
    if (strncmp(symbol, "cuGetProcAddress", 16) == 0) *function = (void *)cuGetProcAddress_v2;
    if (status) *status = 0;
    return SUCCESS;
}
int cuGetProcAddress(const char *symbol, void **function, int version, unsigned long long flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, 0);
}
