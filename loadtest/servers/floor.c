// The floor of a fan-out: a program that only calls send(), one call a member and pass, all blocking, in one thread. It speaks what the
// swarm's plain dialect needs of WebSocket and no more: the handshake's key is not answered, what members say later is not read.
//
// stdin and stdout carry one line a call, see floor.ts. Ends with stdin.
//   → listening <port>
//   ← feed <startAtUs> <publications> <ratePerSecond> <burst> <firstSequence> <payloadBytes> <itemsPerSend>
//   → fed <latenessMaxUs>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MEMBERS_MAX 65536
#define HEADER_BYTES_MAX 10
/** core/stamp.ts: mark, key, sequence, scheduled time in µs, padding. */
#define PAYLOAD "{\"m\":\"@#~!00000%010ld%016.0f\",\"p\":\"%s\"}"

struct feed {
  double startAtUs, ratePerSecond, itemsPerSend;
  long publications, burst, firstSequence, payloadBytes;
};

static int members[MEMBERS_MAX];
static int memberCount = 0;
/** By descriptor. */
static char upgraded[MEMBERS_MAX];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double nowUs(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void sleepUntil(double atUs) {
  struct timespec t = {.tv_sec = (time_t)(atUs / 1e6)};
  t.tv_nsec = (long)((atUs - t.tv_sec * 1e6) * 1e3);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {}
}

/** One text frame, from `header + HEADER_BYTES_MAX` back; returns where it begins. */
static char *putHeader(char *payload, size_t length) {
  int extended = length < 126 ? 0 : length < 65536 ? 2 : 8;
  char *frame = payload - 2 - extended;
  frame[0] = (char)0x81;
  frame[1] = extended == 0 ? (char)length : extended == 2 ? 126 : 127;
  for (int i = 0; i < extended; i++) frame[1 + extended - i] = (char)(length >> (8 * i));
  return frame;
}

static double dueAtUs(const struct feed *feed, long index) {
  return feed->startAtUs + (double)(index / feed->burst * feed->burst) * 1e6 / feed->ratePerSecond;
}

/** Who has gone is forgotten; who does not read is waited for, since everything must arrive. */
static void sendToAll(const char *frame, size_t length) {
  for (int i = 0; i < memberCount;) {
    if (send(members[i], frame, length, MSG_NOSIGNAL) == (ssize_t)length) {
      i++;
    } else {
      close(members[i]);
      members[i] = members[--memberCount];
    }
  }
}

/** Pass n ends with publication n × itemsPerSend, rounded down, and goes out when that one is due: what came before it has waited. */
static double run(const struct feed *feed) {
  size_t room = HEADER_BYTES_MAX + (size_t)(feed->itemsPerSend + 2) * (feed->payloadBytes + 1) + 2;
  char *buffer = malloc(room), *payload = buffer + HEADER_BYTES_MAX;
  int paddingBytes = (int)feed->payloadBytes - snprintf(NULL, 0, PAYLOAD, 0L, 0.0, "");
  char *padding = calloc(1, paddingBytes + 1);
  memset(padding, 'x', paddingBytes);
  double latenessMaxUs = 0;
  for (long pass = 1, sent = 0; sent < feed->publications; pass++) {
    long end = (long)(pass * feed->itemsPerSend);
    if (end > feed->publications) end = feed->publications;
    double due = dueAtUs(feed, end - 1);
    sleepUntil(due);
    double lateUs = nowUs() - due;
    if (lateUs > latenessMaxUs) latenessMaxUs = lateUs;
    char *at = payload;
    for (*at++ = '['; sent < end; sent++) {
      at += sprintf(at, PAYLOAD, feed->firstSequence + sent, dueAtUs(feed, sent), padding);
      *at++ = sent + 1 < end ? ',' : ']';
    }
    char *frame = putHeader(payload, at - payload);
    sendToAll(frame, at - frame);
  }
  free(padding);
  free(buffer);
  return latenessMaxUs;
}

/** Request and subscription come in one read each: a swarm says nothing before it was answered. */
static void greet(int epoll, int fd) {
  static const char UPGRADE[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
  static const char OK[] = "\x81\x03ok1";
  char heard[4096];
  if (read(fd, heard, sizeof heard) <= 0) {
    close(fd);
  } else if (!upgraded[fd]) {
    upgraded[fd] = 1;
    send(fd, UPGRADE, sizeof UPGRADE - 1, MSG_NOSIGNAL);
  } else {
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    members[memberCount++] = fd;
    send(fd, OK, sizeof OK - 1, MSG_NOSIGNAL);
  }
}

static void watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

static void join(int epoll, int listener) {
  int fd = accept(listener, NULL, NULL), one = 1;
  if (fd < 0) return;
  if (fd >= MEMBERS_MAX) {
    close(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  upgraded[fd] = 0;
  watch(epoll, fd);
}

static void obey(void) {
  char line[256];
  ssize_t length = read(STDIN_FILENO, line, sizeof line - 1);
  if (length <= 0) exit(0);
  line[length] = 0;
  struct feed feed;
  int read = sscanf(line, "feed %lf %ld %lf %ld %ld %ld %lf", &feed.startAtUs, &feed.publications, &feed.ratePerSecond, &feed.burst,
                    &feed.firstSequence, &feed.payloadBytes, &feed.itemsPerSend);
  if (read != 7 || feed.itemsPerSend < 1) {
    fprintf(stderr, "floor: not a feed: %s", line);
    exit(1);
  }
  printf("fed %.0f\n", run(&feed));
}

int main(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  setvbuf(stdout, NULL, _IOLBF, 0);
  int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
  socklen_t addressBytes = sizeof address;
  if (bind(listener, (void *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) fail("listen");
  getsockname(listener, (void *)&address, &addressBytes);
  watch(epoll, listener);
  watch(epoll, STDIN_FILENO);
  printf("listening %d\n", ntohs(address.sin_port));
  for (;;) {
    struct epoll_event ready[256];
    int count = epoll_wait(epoll, ready, 256, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == STDIN_FILENO) obey();
      else if (fd == listener) join(epoll, listener);
      else greet(epoll, fd);
    }
  }
}
