// A program that does nothing is clean in every mode, draconian included.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=draconian -> clean
// run: HEAPCHECK=local -> clean
// run: HEAPCHECK=as-is -> clean
int main(void) { return 0; }
