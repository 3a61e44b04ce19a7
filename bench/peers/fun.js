// Measures @vercel/fun in its own process: CONNECTIONS loops call the function, REQUESTS calls in all.
// Prints the same JSON as bench/load. With "cold" for CONNECTIONS: REQUESTS functions, each called once; prints the milliseconds.
const { createFunction } = require('@vercel/fun');

const event = { hello: 'world', n: 1 };
const create = () => createFunction({
  Code: { Directory: `${__dirname}/echo` },
  Handler: 'echo.handler',
  Runtime: 'nodejs',
  MemorySize: 512,
});

async function cold(requests) {
  const times = [];
  for (let n = 0; n < requests; n++) {
    const fn = await create();
    const t = process.hrtime.bigint();
    await fn(event);
    times.push(Number(process.hrtime.bigint() - t) / 1e6);
    await fn.destroy();
  }
  console.log(JSON.stringify(times));
}

async function main() {
  if (process.argv[2] === 'cold') return cold(Number(process.argv[3]));
  const [connections, requests] = process.argv.slice(2).map(Number);
  const fn = await create();
  await Promise.all(Array.from({ length: connections }, () => fn(event))); // warm-up
  const latencies = [];
  let left = requests;
  const started = process.hrtime.bigint();
  await Promise.all(Array.from({ length: connections }, async () => {
    while (left-- > 0) {
      const t = process.hrtime.bigint();
      await fn(event);
      latencies.push(Number(process.hrtime.bigint() - t) / 1000);
    }
  }));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  await fn.destroy();
  latencies.sort((a, b) => a - b);
  const at = (q) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))];
  console.log(JSON.stringify({ requests: latencies.length, rps: latencies.length / seconds, p50_us: at(0.5), p99_us: at(0.99) }));
}

main().catch((err) => { console.error(err); process.exit(1); });
