/** Engines in containers, by Testcontainers, where a container engine answers and their images can be had. */
import type { ContainerRuntimeClient } from 'testcontainers';

/** As deploy/compose.yaml has them, and the variables that name others. */
const IMAGES = {
  kafka: { preset: 'apache/kafka:4.1.1', variable: 'RONDO_KAFKA_IMAGE' },
  postgres: { preset: 'postgres:17', variable: 'RONDO_POSTGRES_IMAGE' },
  eventstoredb: { preset: 'eventstore/eventstore:24.10', variable: 'RONDO_EVENTSTOREDB_IMAGE' },
};

export type EngineName = keyof typeof IMAGES;

/** An engine that tests may take away for a while. */
export interface Engine {
  readonly port: number;
  /** Ends it, and keeps what it has. Default: SIGTERM. */
  halt(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts it again where it was. */
  resume(): Promise<void>;
  /** Ends it and removes what it has, also one that is halted. */
  stop(): Promise<void>;
}

export interface ContainerPlan {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  /** In the container. */
  readonly port: number;
  /** On this machine: the same after it was halted. */
  readonly at: number;
}

/** RONDO_SERVICES: `containers` or `processes`, and nothing else; unset: containers where that is possible. */
function wanted(): 'containers' | 'processes' | undefined {
  const text = process.env['RONDO_SERVICES'];
  if (text === undefined || text === 'containers' || text === 'processes') return text;
  throw new Error(`RONDO_SERVICES=${text}: containers or processes is allowed`);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The engine's image, fetched when it is not there. Undefined: it is to run as a process, for a reason that is said. */
export async function imageOf(engine: EngineName): Promise<string | undefined> {
  const mode = wanted();
  if (mode === 'processes') return undefined;
  const { getContainerRuntimeClient, ImageName } = await import('testcontainers');
  let client: ContainerRuntimeClient;
  try {
    client = await getContainerRuntimeClient();
  } catch (error) {
    if (mode === undefined) return undefined;
    throw new Error(`RONDO_SERVICES=containers: no container engine answers (${messageOf(error)})`);
  }
  const { preset, variable } = IMAGES[engine];
  const image = process.env[variable] ?? preset;
  try {
    await client.image.pull(ImageName.fromString(image));
    await reaperOrNone(client);
    return image;
  } catch (error) {
    const why = `the image ${image} of ${engine} cannot be had (${messageOf(error)}); ${variable} names another`;
    if (mode === 'containers') throw new Error(`RONDO_SERVICES=containers: ${why}`);
    process.stderr.write(`rondo: ${why}; a process of this machine stands in for it\n`);
    return undefined;
  }
}

/** Containers of a test run that was killed are removed by a container of Testcontainers', where its image can be had. */
async function reaperOrNone(client: ContainerRuntimeClient): Promise<void> {
  const { getReaper } = await import('testcontainers');
  try {
    await getReaper(client);
  } catch {
    process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  }
}

/** Where the published ports of containers are. */
export async function hostOfContainers(): Promise<string> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return (await getContainerRuntimeClient()).info.containerRuntime.host;
}

/** Resolves when its port answers. */
export async function startContainer({ image, environment, command, port, at }: ContainerPlan): Promise<Engine> {
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const plan = new GenericContainer(image)
    .withEnvironment({ ...environment })
    .withExposedPorts({ container: port, host: at })
    .withStartupTimeout(120_000);
  const container = await (command === undefined ? plan : plan.withCommand([...command])).start();
  const runtime = (await getContainerRuntimeClient()).container.getById(container.getId());
  return {
    port: at,
    halt: async (signal = 'SIGTERM') => {
      const ended = runtime.wait();
      await runtime.kill({ signal });
      await ended;
    },
    resume: () => container.restart(),
    stop: async () => void (await container.stop()),
  };
}
