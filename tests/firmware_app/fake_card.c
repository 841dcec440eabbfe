/* A capture card for tests, loaded in front of the C library (LD_PRELOAD): whoever opens the path in FAKE_CARD
 * gets a device that answers Video4Linux' requests and delivers YUYV pictures of 640x480 at 30 Hz.
 *
 * The file in FAKE_CARD_MODE says what is wrong with it, in one word, and may change at any time:
 * ok, no_cable, no_lock, range (errors of VIDIOC_QUERY_DV_TIMINGS, and no pictures), silent (no pictures, and the
 * card does not know why), frozen (the last buffer again and again), gone (unplugged). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 640, HEIGHT = 480, SIZE = WIDTH * HEIGHT * 2, BUFFERS = 4, FILES = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char is_card[FILES];
static int memory = -1, streaming = -1, queue[BUFFERS], queued;
static unsigned sequence, generation;
static struct timeval stamp;

static int mode(char *word) {
    FILE *file = fopen(getenv("FAKE_CARD_MODE"), "r");
    char found[32] = "gone";
    if (file) {
        if (fscanf(file, "%31s", found) != 1) strcpy(found, "ok");
        fclose(file);
    }
    return strcmp(found, word) == 0;
}

static int delivers(void) { return mode("ok") || mode("frozen") || mode("gone"); }

static void *clockwork(void *began) {
    for (;;) {
        struct timespec frame = {0, 33333333};
        nanosleep(&frame, NULL);
        pthread_mutex_lock(&lock);
        if (generation != (unsigned)(uintptr_t)began || streaming < 0) {
            pthread_mutex_unlock(&lock);
            return NULL;
        }
        uint64_t one = 1;
        if (queued > 0 && delivers() && write(streaming, &one, sizeof one) < 0) perror("fake card");
        pthread_mutex_unlock(&lock);
    }
}

static int fail(int error) {
    errno = error;
    return -1;
}

static int is_path(const char *path) {
    const char *card = getenv("FAKE_CARD");
    return card && path && strcmp(path, card) == 0;
}

static int open_card(void) {
    if (mode("gone")) return fail(ENODEV);
    int file = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC);
    if (file >= 0 && file < FILES) is_card[file] = 1;
    return file;
}

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...) {                            \
        static int (*real)(const char *, int, ...);                         \
        va_list rest;                                                       \
        va_start(rest, flags);                                              \
        int rights = va_arg(rest, int);                                     \
        va_end(rest);                                                       \
        if (is_path(path)) return open_card();                              \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);               \
        return real(path, flags, rights);                                   \
    }
OPEN(open)
OPEN(open64)

int close(int file) {
    static int (*real)(int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (file >= 0 && file < FILES && is_card[file]) {
        pthread_mutex_lock(&lock);
        is_card[file] = 0;
        if (streaming == file) streaming = -1;
        pthread_mutex_unlock(&lock);
    }
    return real(file);
}

int dup(int file) {
    static int (*real)(int);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "dup");
    int other = real(file);
    if (file >= 0 && file < FILES && other >= 0 && other < FILES) is_card[other] = is_card[file];
    return other;
}

#define MMAP(name, offset_type)                                                                      \
    void *name(void *at, size_t length, int rights, int flags, int file, offset_type offset) {       \
        static void *(*real)(void *, size_t, int, int, int, offset_type);                            \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);                                        \
        if (file >= 0 && file < FILES && is_card[file]) file = memory;                               \
        return real(at, length, rights, flags, file, offset);                                        \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

static void describe(struct v4l2_format *format) {
    struct v4l2_pix_format *pix = &format->fmt.pix;
    memset(pix, 0, sizeof *pix);
    pix->width = WIDTH, pix->height = HEIGHT, pix->pixelformat = V4L2_PIX_FMT_YUYV;
    pix->field = V4L2_FIELD_NONE, pix->bytesperline = 2 * WIDTH, pix->sizeimage = SIZE;
    pix->colorspace = V4L2_COLORSPACE_SMPTE170M;
}

static int take(int file, struct v4l2_buffer *buffer) {
    uint64_t token;
    if (mode("gone")) return fail(ENODEV);
    if (queued == 0 || read(file, &token, sizeof token) < 0) return fail(EAGAIN);
    int index = queue[0];
    memmove(queue, queue + 1, sizeof *queue * (size_t)--queued);
    if (!mode("frozen") || sequence == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        stamp.tv_sec = now.tv_sec, stamp.tv_usec = now.tv_nsec / 1000, sequence++;
    }
    unsigned char *pixels = mmap(NULL, SIZE, PROT_WRITE, MAP_SHARED, memory, (off_t)index * SIZE);
    for (int i = 0; i < SIZE; i += 2) pixels[i] = (unsigned char)(16 + (sequence * 4 + i / 64) % 200), pixels[i + 1] = 128;
    munmap(pixels, SIZE);
    buffer->index = (unsigned)index, buffer->bytesused = SIZE, buffer->length = SIZE;
    buffer->field = V4L2_FIELD_NONE, buffer->timestamp = stamp, buffer->sequence = sequence;
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->m.offset = (unsigned)index * SIZE;
    return 0;
}

static int timings(struct v4l2_dv_timings *found) {
    if (mode("gone")) return fail(ENODEV);
    if (mode("no_cable")) return fail(ENOLINK);
    if (mode("no_lock")) return fail(ENOLCK);
    if (mode("range")) return fail(ERANGE);
    if (mode("silent")) return fail(ENOTTY);
    found->type = V4L2_DV_BT_656_1120, found->bt.width = WIDTH, found->bt.height = HEIGHT;
    return 0;
}

static int answer(int file, unsigned long request, void *argument) {
    struct v4l2_buffer *buffer = argument;
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *told = argument;
        memset(told, 0, sizeof *told);
        strcpy((char *)told->driver, "fake"), strcpy((char *)told->card, "fake card");
        told->version = 0x060100, told->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        told->capabilities = told->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUMINPUT: {
        struct v4l2_input *input = argument;
        if (input->index) return fail(EINVAL);
        memset(input, 0, sizeof *input);
        strcpy((char *)input->name, "HDMI"), input->type = V4L2_INPUT_TYPE_CAMERA;
        return 0;
    }
    case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_QUERY_DV_TIMINGS: return timings(argument);
    case VIDIOC_S_DV_TIMINGS: return 0;
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *format = argument;
        if (format->index || format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        format->pixelformat = V4L2_PIX_FMT_YUYV, format->flags = 0;
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *size = argument;
        if (size->index || size->pixel_format != V4L2_PIX_FMT_YUYV) return fail(EINVAL);
        size->type = V4L2_FRMSIZE_TYPE_DISCRETE, size->discrete.width = WIDTH, size->discrete.height = HEIGHT;
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *rate = argument;
        if (rate->index) return fail(EINVAL);
        rate->type = V4L2_FRMIVAL_TYPE_DISCRETE, rate->discrete.numerator = 1, rate->discrete.denominator = 30;
        return 0;
    }
    case VIDIOC_G_FMT: case VIDIOC_TRY_FMT: case VIDIOC_S_FMT:
        if (((struct v4l2_format *)argument)->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
        describe(argument);
        return 0;
    case VIDIOC_G_PARM: case VIDIOC_S_PARM: {
        struct v4l2_streamparm *parameters = argument;
        parameters->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
        parameters->parm.capture.timeperframe.numerator = 1, parameters->parm.capture.timeperframe.denominator = 30;
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *wanted = argument;
        if (wanted->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
        if (wanted->count > BUFFERS) wanted->count = BUFFERS;
        if (memory < 0) {
            memory = memfd_create("fake card", MFD_CLOEXEC);
            if (memory < 0 || ftruncate(memory, BUFFERS * SIZE) < 0) return fail(ENOMEM);
        }
        queued = 0, wanted->capabilities = V4L2_BUF_CAP_SUPPORTS_MMAP;
        return 0;
    }
    case VIDIOC_QUERYBUF:
        buffer->length = SIZE, buffer->m.offset = buffer->index * SIZE, buffer->flags = 0;
        return 0;
    case VIDIOC_QBUF:
        if (mode("gone")) return fail(ENODEV);
        if (queued < BUFFERS) queue[queued++] = (int)buffer->index;
        buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_QUEUED;
        return 0;
    case VIDIOC_DQBUF: return take(file, argument);
    case VIDIOC_STREAMON: {
        pthread_t thread;
        streaming = file;
        if (pthread_create(&thread, NULL, clockwork, (void *)(uintptr_t)++generation)) return fail(ENOMEM);
        pthread_detach(thread);
        return 0;
    }
    case VIDIOC_STREAMOFF: streaming = -1, generation++, queued = 0; return 0;
    default: return fail(ENOTTY);
    }
}

int ioctl(int file, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
    if (file < 0 || file >= FILES || !is_card[file]) return real(file, request, argument);
    pthread_mutex_lock(&lock);
    int result = answer(file, request, argument);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
