// Calls inner() 70 times, from outer(), which is called 7 times.
static volatile int calls;

__attribute__((noinline)) int inner(int n) {
  calls = calls + 1;
  return calls + n;
}

__attribute__((noinline)) int outer(int n) {
  int sum = 0;
  for (int i = 0; i < 10; i++) sum += inner(n + i);
  return sum;
}

int main(void) {
  int sum = 0;
  for (int i = 0; i < 7; i++) sum += outer(i);
  return sum < 0;
}
