"""A bad line between two TUN devices, for kernels without netem: python3 lossy-link.py NEAR FAR SEED

Makes both devices and passes each packet of one on to the other: 50 ms later, one in a hundred never, one in fifty so
late that others overtake it. It knows nothing of what is in a packet. Says "ready" when both are there (FAR may then be
moved to another namespace), and at the end of its input, as JSON, what it did with the packets of each direction.
"""

import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET_OCTETS = 65_535
# So many packets of one direction in a row: enough to be fast, few enough that none waits much for the others.
PACKETS_OF_A_TURN = 64
DELAY_S = 0.050
LATER_S = 0.010
DROPPED = 0.01
LATE = 0.02


def tun(name):
    device = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack('16sH22x', name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Direction:
    def __init__(self, source, sink, seed):
        self.source, self.sink = source, sink
        self.random = random.Random(seed)
        self.waiting = []
        self.taken = self.dropped = self.overtaken = 0
        self.last = 0
        self.shortest = float('inf')

    def take(self):
        """Takes the packets that are there; each one's fate is the next of the generator's."""
        for _ in range(PACKETS_OF_A_TURN):
            try:
                packet = os.read(self.source, PACKET_OCTETS)
            except BlockingIOError:
                return
            self.taken += 1
            is_dropped, is_late = self.random.random() < DROPPED, self.random.random() < LATE
            if is_dropped:
                self.dropped += 1
                continue
            now = time.monotonic()
            due = now + DELAY_S + (LATER_S if is_late else 0)
            heapq.heappush(self.waiting, (due, self.taken, now, packet))

    def give(self):
        """Passes on what has waited long enough, and tells how many seconds the next one has to wait."""
        while self.waiting:
            now = time.monotonic()
            if self.waiting[0][0] > now:
                return self.waiting[0][0] - now
            _, number, came, packet = heapq.heappop(self.waiting)
            os.write(self.sink, packet)
            self.overtaken += number < self.last
            self.last = max(self.last, number)
            self.shortest = min(self.shortest, now - came)
        return None

    def counts(self):
        return {
            'taken': self.taken,
            'dropped': self.dropped,
            'overtaken': self.overtaken,
            'shortestMs': self.shortest * 1_000,
        }


near, far = tun(sys.argv[1]), tun(sys.argv[2])
directions = [Direction(near, far, f'{sys.argv[3]} there'), Direction(far, near, f'{sys.argv[3]} back')]
print('ready', flush=True)
readable = []
while sys.stdin not in readable:
    waits = [wait for wait in [direction.give() for direction in directions] if wait is not None]
    readable, _, _ = select.select([sys.stdin, near, far], [], [], min(waits, default=None))
    for direction in directions:
        if direction.source in readable:
            direction.take()
print(json.dumps([direction.counts() for direction in directions]))
