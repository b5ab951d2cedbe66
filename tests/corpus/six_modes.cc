// One program, six modes: each reports what its line of the table says.
// 1001 is lost before main, 1002 in main; 1003 stays in a global; 1004 is dropped by a destructor, 1005 lost by an exit
// handler; 1006 hangs on a mapping, 1007 on a pointer past its end.
// run: HEAPCHECK=minimal -> leak direct 1002
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002
// run: HEAPCHECK=strict -> leak 1001, 1002, 1004, 1005, 1006, 1007
// run: HEAPCHECK=draconian -> leak 1001, 1002, 1003, 1004, 1005, 1006, 1007
// run: HEAPCHECK=local -> clean
// run: HEAPCHECK=as-is -> leak direct 1001, direct 1002, ...
// run: HEAPCHECK= -> unchecked
// run: HEAPCHECK=maximal -> unchecked; exit 2; stderr maximal; no-stderr main ran
// run: HEAPCHECK=Norml -> unchecked; exit 2; stderr Norml
#include "support.h"
#include <sys/mman.h>

struct Early {
    void *volatile held = nullptr;
    Early() { lose(1001); }
    ~Early() {
        held = nullptr;
        scrub();
    }
};
static Early early;
static void *volatile kept;
static char *volatile end_of_block;

static void work() {
    lose(1002);
    kept = allocate(1003);
    early.held = allocate(1004);
    void **page = (void **)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[9] = allocate(1006);
    end_of_block = (char *)allocate(1007) + 1007;
}

static void handler() { lose(1005); }

int main() {
    dprintf(2, "main ran\n");
    atexit(handler);
    apart(work);
    return 0;
}
