// Where a stopped thread's registers are saved, what the thread had left there holds nothing.
// run: HEAPCHECK=normal -> leak 1001x4096
// run: HEAPCHECK=normal HEAPCHECK_STOP=ptrace,stack -> leak 1001x4096
#include "support.h"

// Each word of the stack is a block of its own: one that is looked at hides one block.
NOINLINE static void litter(void) {
    char *volatile words[4096];
    for (int number = 0; number < 4096; number++) words[number] = malloc(1001);
}

// As the compilers of this corpus know no AVX-512, its registers are cleared by hand.
NOINLINE static void scrub_wide_registers(void) {
    if (!__builtin_cpu_supports("avx512f")) return;
    __asm__ volatile(
        ".irp number, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "vpxorq %%zmm\\number, %%zmm\\number, %%zmm\\number\n .endr\n vzeroall"
        :
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
          "xmm13", "xmm14", "xmm15");
}

// Sleeps in a system call of its own, with nothing in its red zone.
static void *thread(void *unused) {
    litter();
    scrub_wide_registers();
    scrub_registers();
    __asm__ volatile(
        "mov $16, %%ecx\n 2: movq $0, -136(%%rsp, %%rcx, 8)\n dec %%ecx\n jnz 2b\n movl $1, %0\n"
        "1: mov $34, %%eax\n syscall\n jmp 1b\n"
        :
        : "m"(announced)
        : "rax", "rcx", "r11", "memory");
    return unused;
}

int main(void) {
    start_detached(thread, NULL);
    await(1);
    return 0;
}
