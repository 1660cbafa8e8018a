/** `1.4.2`, `1.4.2-rc.1`: the first two numbers count. */
const RELEASE = /^(\d+)\.(\d+)\.\d+/;

/**
 * Whether services of the two releases may work together: of one major release at most one minor release apart, or the first of
 * a major release and any of the one before it. What is not numbered so (a build of one's own) goes with everything.
 */
export function areNeighbours(one: string, other: string): boolean {
  const [a, b] = [RELEASE.exec(one), RELEASE.exec(other)];
  if (a === null || b === null) return true;
  const [older, newer] = [a, b]
    .map(([, major, minor]) => [Number(major), Number(minor)] as const)
    .toSorted((x, y) => x[0] - y[0] || x[1] - y[1]) as [readonly [number, number], readonly [number, number]];
  if (older[0] === newer[0]) return newer[1] - older[1] <= 1;
  return newer[0] - older[0] === 1 && newer[1] === 0;
}

/** For who is refused. */
export function tooFarApart(mine: string, theirs: string): string {
  return `release ${theirs} does not work with release ${mine}: they are more than one release apart`;
}
