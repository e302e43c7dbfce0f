"""asyncio: tasks that wait for queues, futures and each other; no sockets, no time."""
import asyncio

from command import scaled


async def stage(inbox, outbox, work):
    """A stage of a pipeline: until None comes."""
    while (item := await inbox.get()) is not None:
        await outbox.put(work(item))
    await outbox.put(None)


async def pipeline(count):
    queues = [asyncio.Queue(maxsize=16) for _ in range(5)]
    works = [lambda x: x + 1, lambda x: x * 3, lambda x: x ^ 0x55, lambda x: x & 0xFFFF]
    stages = [asyncio.create_task(stage(a, b, work))
              for a, b, work in zip(queues, queues[1:], works)]

    async def feed():
        for number in range(count):
            await queues[0].put(number)
        await queues[0].put(None)

    feeder, total = asyncio.create_task(feed()), 0
    while (item := await queues[-1].get()) is not None:
        total += item
    await asyncio.gather(feeder, *stages)
    return total


async def leaf(number):
    await asyncio.sleep(0)
    return number & 255


async def fan(depth, number):
    """A tree of tasks."""
    if depth == 0:
        return await leaf(number)
    return sum(await asyncio.gather(*(asyncio.create_task(fan(depth - 1, number * 4 + i))
                                      for i in range(4))))


async def main():
    moved = await pipeline(scaled(14000))
    spread = 0
    for _ in range(scaled(6)):
        spread += await fan(6, 1)
    print(f"pipeline {moved}, fan {spread}")


asyncio.run(main())
