// Merges ops of a file of lines into an empty tree in batches, and prints how many a second.
import { readFileSync } from 'node:fs';
import { RepTree } from 'reptree';

const [, , file, batch, what] = process.argv;
const ops = readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const tree = new RepTree('0');
const size = Number(batch);
const started = process.hrtime.bigint();
for (let first = 0; first < ops.length; first += size) {
  tree.merge(ops.slice(first, first + size));
  // The library tells of changes in timers, and holds what it has to tell until they run.
  await new Promise((resolve) => setImmediate(resolve));
}
const seconds = Number(process.hrtime.bigint() - started) / 1e9;
console.log(`${what}: ${ops.length} ops in batches of ${size}: ${Math.round(ops.length / seconds)}/s`);
process.exit(0);
