"""How much of a server's speed a synthesis uses: ``python benchmarks/synthesis_throughput.py``.

A chat server in a process of its own answers every request after a fixed time, as one does whose
queue is never full. The run is the real one: JPEG and PNG files are checked, decoded, cropped,
encoded and sent over HTTP by the client of ``teacher=vllm_server``, which teacher and verifier
share; only the detector is a stub. ``ideal``: images per second if nothing else took time,
requests at once / (latency x requests of an image, as the server counts them). ``overhead``: CPU
time of the run per image, without the server's. ``memory``: peak of the process.
"""

import asyncio
import json
import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import numpy as np
from PIL import Image
from synthesis_memory import Figures, Stubs, program

from groundrl.chat.openai_compatible import OpenAICompatibleModel
from groundrl.running.task_runner import LocalRunner
from groundrl.synthesis.annotate import Annotator
from groundrl.synthesis.images import FolderImages
from groundrl.synthesis.run import Synthesis
from groundrl.synthesis.samples import QuestionPlan
from groundrl.synthesis.teachers.prompted import PromptedTeacher
from groundrl.synthesis.verifiers.prompted import PromptedVerifier

CAPTION = {"caption": "There is a red cup."}
VERDICT = {"reason": "fine", "decision": "keep", "kind": "none", "span": "", "repaired": ""}


def _response(answer: dict[str, str]) -> bytes:
    message = {"role": "assistant", "content": json.dumps(answer)}
    usage = {"prompt_tokens": 500, "completion_tokens": 20}
    body = json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


def serve(latency: float, port: "Synchronized[int]", requests: "Synchronized[int]") -> None:
    """Answers until the process ends."""
    caption, verdict = _response(CAPTION), _response(VERDICT)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
            except asyncio.IncompleteReadError:
                writer.close()
                return
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            requests.value += 1
            await asyncio.sleep(latency)
            writer.write(verdict if b'"decision"' in body else caption)
            await writer.drain()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256, limit=2**20)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def server(latency: float) -> Iterator[tuple[str, "Synchronized[int]"]]:
    """Its address, and the requests that it had."""
    spawn = multiprocessing.get_context("spawn")
    port, requests = spawn.Value("i", 0), spawn.Value("i", 0)
    process = spawn.Process(target=serve, args=(latency, port, requests), daemon=True)
    process.start()
    try:
        while not port.value:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port.value}/v1", requests
    finally:
        process.terminate()
        process.join()


def draw(folder: Path, images: int) -> None:
    """Files of 640 x 480, JPEG and PNG in turn, with about as much detail as photographs."""
    folder.mkdir()
    for index in range(images):
        rng = np.random.default_rng(index)
        rough = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        smooth = np.asarray(rough.resize((640, 480), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = rng.integers(-6, 7, (480, 640, 1), dtype=np.int16)
        image = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
        image.save(folder / f"{index:06}.{('jpg', 'png')[index % 2]}", compress_level=1)


def measured(images: int, concurrency: int, latency: float, folder: Path) -> Figures:
    """One run over files that are there already."""
    draw(folder / "images", images)
    with server(latency) as (url, requests):
        # Nobody waits for an image as long as there are more under way than places.
        chat = OpenAICompatibleModel(model="stub", urls=[url], at_once=concurrency)
        annotator = Annotator(
            detector=Stubs(images, latency),
            teacher=PromptedTeacher(chat=chat),
            verifier=PromptedVerifier(chat=chat),
        )
        run = Synthesis(
            images=FolderImages(folder / "images"),
            annotator=lambda: annotator,
            runner=LocalRunner(),
            concurrency=concurrency,
            questions=QuestionPlan(),
            licence="none",
            cache=folder / "cache.sqlite",
            shard_size=10_000,
            run_dir=folder / "run",
        )
        start, cpu = time.perf_counter(), time.process_time()
        run.run()
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        ideal = concurrency * images / (latency * requests.value)
        return {
            "images": images,
            "requests": requests.value,
            "per_second": images / seconds,
            "ideal": ideal,
            "share": images / seconds / ideal,
            "overhead_ms": cpu / images * 1000,
            "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


if __name__ == "__main__":
    program(measured, images=500)
