import { Masker, secretsOfConnection, secretsOfVariable } from './masker.ts';

const masked = (secrets: readonly string[], text: string): string => {
  const masker = new Masker();
  masker.add(secrets);
  return masker.mask(text);
};

describe('a masker', () => {
  it('hides a secret as it is, and as JSON, URLs and headers spell it', () => {
    const secret = 'pä ss"/word';
    const header = Buffer.from(`me:${secret}`).toString('base64');
    const secrets = secretsOfConnection({ connId: 'c', connType: 'http', login: 'me', password: secret });
    const text = `${secret} ${JSON.stringify(secret)} ${encodeURIComponent(secret)} Basic ${header} me`;
    expect(masked(secrets, text)).toBe(
      '*** "***" *** Basic *** me'.replace('Basic ***', header.endsWith('=') ? 'Basic ***=' : 'Basic ***'),
    );
  });

  it('hides each line of a secret of several lines, and the longer of two that overlap', () => {
    const key = '-----BEGIN KEY-----\nabcdefghij\n-----END KEY-----';
    expect(masked([key], 'line: abcdefghij')).toBe('line: ***');
    expect(masked(['abcd', 'abcdefgh'], 'abcdefgh abcd')).toBe('*** ***');
  });

  it('knows what of a connection and of a variable is secret', () => {
    const extra = { region: 'eu-west-1', apiToken: 'tok-123', nested: { secrets: ['one-two'] } };
    expect(secretsOfConnection({ connId: 'c', connType: 'aws', extra })).toEqual(['tok-123', 'one-two']);
    expect(secretsOfVariable('{"url":"https://x","n":1}')).toEqual(['{"url":"https://x","n":1}', 'https://x']);
    expect(secretsOfVariable('true')).toEqual([]);
    expect(secretsOfVariable('1000')).toEqual([]);
    expect(secretsOfVariable('{broken')).toEqual(['{broken']);
  });

  it('masks every text of a value, and no key', () => {
    const masker = new Masker();
    masker.add(['secret']);
    expect(masker.maskDeep({ secret: ['a secret', 1, null, { x: 'secret' }] })).toEqual({
      secret: ['a ***', 1, null, { x: '***' }],
    });
  });
});
