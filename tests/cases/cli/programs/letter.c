// Loses a letter, which leads to its envelope.
#include <stdlib.h>
#include <string.h>

struct letter {
    long kind;
    char secret[16];
    char *envelope;
};

__attribute__((noinline)) static void lose(void) {
    struct letter *letter = malloc(sizeof *letter);
    letter->kind = 7;
    memcpy(letter->secret, "my password: 123", 16);
    letter->envelope = malloc(100);
    memset(letter->envelope, 1, 100);
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count == 1)
        lose();
    return 0;
}
