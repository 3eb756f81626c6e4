// A session of imapflow: does what a mail program does in an hour, and prints one JSON object for each step.
import { newClient, tell } from './client.mjs';

const client = newClient();
await client.connect();

tell('mailboxes', (await client.list()).map(({ path, specialUse }) => [path, specialUse ?? null]));

const lock = await client.getMailboxLock('INBOX');
const messages = [];
const asked = { uid: true, threadId: true, flags: true, envelope: true, bodyStructure: true, size: true, source: true };
for await (const message of client.fetch('1:*', asked)) {
    messages.push({
        uid: message.uid,
        emailId: message.emailId,
        threadId: message.threadId,
        subject: message.envelope.subject,
        from: message.envelope.from[0].address,
        type: message.bodyStructure.type,
        size: message.size,
        source: message.source.toString('base64'),
    });
}
tell('messages', messages);
tell('compressed', client.streamer.compress === true);
tell('mailboxId', client.mailbox.mailboxId ?? null);

const appended = await client.append('INBOX', Buffer.from('Subject: from imapflow\r\n\r\nhello\r\n'), ['\\Seen', 'Work']);
tell('appended', { uid: appended.uid, seq: appended.seq });
tell('keyword', await client.search({ keyword: 'Work' }, { uid: true }));
tell('subject', await client.search({ subject: 'yemeği' }, { uid: true }));

await client.messageFlagsAdd(`${messages[0].uid}`, ['\\Flagged'], { uid: true });
tell('flagged', [...(await client.fetchOne(`${messages[0].uid}`, { flags: true }, { uid: true })).flags].sort());
const moved = await client.messageMove(`${messages[1].uid}`, 'Archive', { uid: true });
tell('moved', [...moved.uidMap]);
tell('deleted', await client.messageDelete(`${messages[2].uid}`, { uid: true }));
tell('status', await client.status('Archive', { messages: true, unseen: true, uidNext: true }));

const heard = new Promise(resolve => client.once('exists', resolve));
const idling = client.idle();
tell('idling', true);
const { count, prevCount } = await heard;
tell('exists', { count, prevCount });
lock.release();
await client.logout();
await idling;
tell('end', true);
