# Starts a program that leaks, and does not look at how it ends.
./leaks
exit 0
