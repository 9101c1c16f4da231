/** What a worker thread gets is in its argument: it has no storage of the thread that asks. */
export default ({ id }: { readonly id: string | undefined }): string | undefined => id
