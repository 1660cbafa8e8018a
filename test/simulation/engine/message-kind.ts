/** What a message is, for people: its kind, or the name of its topic. */
export function kindOfMessage(topic: string, value: string): string {
  const kind = /"kind":"(\w+)"/.exec(value.slice(0, 60))?.[1];
  return `${topic.split('.').slice(1).join('.')}/${kind ?? 'message'}`;
}
