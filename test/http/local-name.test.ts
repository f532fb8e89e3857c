import { expect, it } from 'vitest';
import { isLocalName } from '../../src/http/local-name.ts';

it('accepts localhost and addresses as local, and no other name', () => {
  for (const host of ['localhost', 'localhost:9090', 'LOCALHOST', 'a.localhost:1', '127.0.0.1:9090', '10.1.2.3', '[::1]:9090', '[::1]']) {
    expect(isLocalName(host), host).toBe(true);
  }
  for (const host of [
    undefined,
    '',
    'evil.example',
    'localhost.evil.example:9090',
    'a:b',
    '127.0.0.1.evil.example',
    '[::1',
    'localhost@evil.example',
  ]) {
    expect(isLocalName(host), host).toBe(false);
  }
});
