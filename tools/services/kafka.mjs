/**
 * A Kafka broker of this machine's own, for tests and for a cluster on one machine: one node in KRaft mode, from its Maven
 * artifacts. Needs Java 17 and Maven; the artifacts are kept in a cache folder.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.mjs';

const VERSION = '4.1.1';
const SCALA = '2.13';

/** What is missing on this machine, with how to get it; nothing: it can run. */
export const missingForKafka = () =>
  [
    ['java', ['-version'], 'Java 17 or later (Debian: apt-get install openjdk-17-jre-headless)'],
    ['mvn', ['-version'], 'Maven (Debian: apt-get install maven)'],
  ].flatMap(([command, args, how]) => {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
      return [];
    } catch {
      return [how];
    }
  });

/** Fetches the broker's jars, and those of more of its artifacts, into `FOLDER/lib`. */
export function jarsInto(folder, more = []) {
  const dependency = (group, artifact, version) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  const dependencies = [
    ...[`kafka_${SCALA}`, ...more].map((artifact) => dependency('org.apache.kafka', artifact, VERSION)),
    dependency('org.slf4j', 'slf4j-simple', '2.0.17'),
  ];
  writeFileSync(
    join(folder, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>rondo</groupId><artifactId>kafka</artifactId><version>1</version><dependencies>${dependencies.join('')}</dependencies></project>`,
  );
  execFileSync('mvn', ['-q', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** The folder of the broker's jars, fetched once. */
export function kafkaJars() {
  const cache = process.env.RONDO_SERVICES_CACHE ?? join(homedir(), '.cache', 'rondo');
  const folder = join(cache, `kafka-${VERSION}`);
  const lib = join(folder, 'lib');
  if (existsSync(lib) && readdirSync(lib).some((name) => name.startsWith(`kafka_${SCALA}-`))) return lib;
  mkdirSync(folder, { recursive: true });
  jarsInto(folder);
  return lib;
}

const isUp = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });

/**
 * Starts a broker on a free port, or on the given one, with what the folder has. `halt()` ends it, `resume()` starts it again
 * where it was; `stop()` ends it and, unless `keep`, removes its data.
 */
export async function startKafka({ folder = mkdtempSync(join(tmpdir(), 'rondo-kafka-')), port, keep = false } = {}) {
  const classPath = `${kafkaJars()}/*`;
  const [listener, controller] = [port ?? (await freePort()), await freePort()];
  const file = join(folder, 'server.properties');
  writeFileSync(
    file,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=PLAINTEXT://127.0.0.1:${listener},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${listener}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${join(folder, 'logs')}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=4',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0',
      'auto.create.topics.enable=false',
    ].join('\n'),
  );
  const java = (...args) => [
    '-Xmx512m',
    '-XX:+UseSerialGC',
    // A broker of a few minutes has more of the quick compiler than of the thorough one.
    '-XX:TieredStopAtLevel=1',
    '-cp',
    classPath,
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    ...args,
  ];
  if (!existsSync(join(folder, 'logs', 'meta.properties')))
    execFileSync('java', java('kafka.tools.StorageTool', 'format', '-t', 'cmFvbmRvLXRlc3QtMDAwMQ', '-c', file), {
      stdio: 'ignore',
    });
  let broker;
  let ended = Promise.resolve();
  const resume = async () => {
    broker = spawn('java', java('kafka.Kafka', file), { stdio: 'ignore' });
    ended = new Promise((resolve) => broker.once('exit', resolve));
    for (let tries = 0; !(await isUp(listener)); tries++) {
      if (broker.exitCode !== null || tries > 600) throw new Error(`the Kafka broker of ${folder} did not start`);
      await sleep(100);
    }
  };
  const halt = async (signal = 'SIGTERM') => {
    broker.kill(signal);
    await ended;
  };
  await resume();
  return {
    brokers: [`127.0.0.1:${listener}`],
    port: listener,
    get pid() {
      return broker.pid;
    },
    halt,
    resume,
    async stop() {
      await halt();
      if (!keep) rmSync(folder, { recursive: true, force: true });
    },
  };
}
