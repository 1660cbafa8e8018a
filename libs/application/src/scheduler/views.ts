import type { InstanceRange } from '@rondo/domain';

/** `to`: the last index of a range of instances; they differ in the last element of the map index. */
export const viewOf = ({ taskId, mapIndex, to }: InstanceRange) => ({
  taskId,
  mapIndex: mapIndex.join('.'),
  ...(to === undefined ? {} : { to }),
});
