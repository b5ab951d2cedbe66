/* Opens plug-ins one after the other, each at the place that the last one left, and lets them leak. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *place;

static void scrub(void) {
    volatile char stack[8192];
    for (size_t at = 0; at < sizeof stack; at++) stack[at] = 0;
}

static void *open_plugin(const char *path) {
    void *plugin = dlopen(path, RTLD_NOW);
    if (plugin == NULL) {
        puts(dlerror());
        exit(1);
    }
    void (*work)(void) = (void (*)(void))dlsym(plugin, "work");
    Dl_info info;
    dladdr((void *)work, &info);
    puts(place == NULL || place == info.dli_fbase ? "the same place" : "another place");
    place = info.dli_fbase;
    work();
    scrub();
    return plugin;
}

int main(void) {
    dlclose(open_plugin("./first.so"));
    dlclose(open_plugin("./second.so"));
    dlclose(open_plugin("./first.so"));
    open_plugin("./third.so");
    return 0;
}
