/* What the tests let foster.exe run: small programs that tell on stdout what became of them. */
#include <windows.h>
#include <shellapi.h>
#include <stdio.h>
#include <tlhelp32.h>

/* The C runtime is not to take a star in an argument for the name of a file. */
int _dowildcard = 0;

static void say(const char *format, ...)
{
    char text[4096];
    va_list values;
    DWORD written;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text - 1, format, values);
    va_end(values);
    text[length++] = '\n';
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), text, length, &written, NULL);
}

/* Says a text with all that is not plain ASCII as the numbers of its UTF-16 units. */
static void say_text(const char *before, const wchar_t *text)
{
    char out[4096];
    size_t length = 0;
    for (; *text && length < sizeof out - 8; text++) {
        if (*text >= ' ' && *text < 127 && *text != '{')
            out[length++] = (char)*text;
        else
            length += sprintf(out + length, "{%x}", *text);
    }
    out[length] = 0;
    say("%s%s", before, out);
}

/* Starts a program, given by its command line, that shares the standard handles. */
static HANDLE start(wchar_t *line, DWORD flags)
{
    STARTUPINFOW startup = { .cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION made;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    /* Wine calls it an internal error where the new process was gone before the first instruction
       of its own: then it is Wine that failed, now and then, and nothing was tested yet. */
    for (int tries = 1;; tries++) {
        if (CreateProcessW(NULL, line, NULL, NULL, TRUE, flags, NULL, NULL, &startup, &made))
            break;
        if (GetLastError() != ERROR_INTERNAL_ERROR || tries == 3) {
            say("cannot start: error %lu", GetLastError());
            ExitProcess(99);
        }
    }
    CloseHandle(made.hThread);
    return made.hProcess;
}

/* Starts this program again. */
static HANDLE again(const wchar_t *what, const wchar_t *value, DWORD flags)
{
    wchar_t self[MAX_PATH], line[2 * MAX_PATH];
    GetModuleFileNameW(NULL, self, MAX_PATH);
    swprintf(line, 2 * MAX_PATH, L"\"%ls\" %ls %ls", self, what, value);
    return start(line, flags);
}

static void sleep_for_ever(void)
{
    for (;;)
        Sleep(INFINITE);
}

static DWORD parent(void)
{
    PROCESSENTRY32W entry = { .dwSize = sizeof entry };
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    for (BOOL more = Process32FirstW(all, &entry); more; more = Process32NextW(all, &entry))
        if (entry.th32ProcessID == GetCurrentProcessId())
            return entry.th32ParentProcessID;
    return 0;
}

static int threads(DWORD pid)
{
    THREADENTRY32 entry = { .dwSize = sizeof entry };
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    int count = 0;
    for (BOOL more = Thread32First(all, &entry); more; more = Thread32Next(all, &entry))
        count += entry.th32OwnerProcessID == pid;
    return count;
}

/* The arguments, as Windows and as the C runtime split them. */
static int arguments(int count, wchar_t **words)
{
    int windows_count;
    wchar_t **windows_words = CommandLineToArgvW(GetCommandLineW(), &windows_count);
    if (windows_count != count)
        say("the C runtime finds %d words, Windows %d", count, windows_count);
    for (int index = 2; index < windows_count; index++) {
        say_text("arg ", windows_words[index]);
        if (index < count && wcscmp(words[index], windows_words[index]))
            say_text("but ", words[index]);
    }
    say("end");
    return 0;
}

static int variables(int count, wchar_t **names)
{
    wchar_t value[1024];
    for (int index = 2; index < count; index++) {
        if (!GetEnvironmentVariableW(names[index], value, 1024))
            wcscpy(value, L"(unset)");
        say_text("value ", value);
    }
    say("end");
    return 0;
}

/* Runs the rest of the command line and tells the code that it ends with. A tilde stands for
   half of a surrogate pair, which no text can hold. */
static int code(void)
{
    DWORD code;
    wchar_t *line = wcsstr(GetCommandLineW(), L" code ") + 6;
    for (wchar_t *unit = line; *unit; unit++)
        if (*unit == '~')
            *unit = 0xd800;
    HANDLE process = start(line, 0);
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    say("code %lu", code);
    return 0;
}

/* Runs the rest of the command line with a variable, and ends with its code. Wine has values of
   its own for some that it would not take from Linux. */
static int with(const wchar_t *name, const wchar_t *value)
{
    DWORD code;
    SetEnvironmentVariableW(name, value);
    HANDLE process = start(wcsstr(GetCommandLineW(), L" -- ") + 4, 0);
    WaitForSingleObject(process, INFINITE);
    GetExitCodeProcess(process, &code);
    return code;
}

static BOOL is_held(const wchar_t *name)
{
    HANDLE mutex = OpenMutexW(SYNCHRONIZE, FALSE, name);
    if (mutex)
        CloseHandle(mutex);
    return mutex != NULL;
}

/* Tells whether anything is left of the last run, leaves a process behind, and ends. */
static int leave(const wchar_t *name)
{
    say(is_held(name) ? "haunted" : "alone");
    for (int count = 0; count < 3; count++)
        again(L"hold", name, CREATE_NEW_PROCESS_GROUP | (count ? DETACHED_PROCESS : 0));
    while (!is_held(name))
        Sleep(1);
    return 3;
}

/* Lets the foster that started this believe that it can send Ctrl-Break, which Wine cannot do:
   puts "return TRUE" in the place of the function. System libraries have the same address in all
   processes. */
static void pretend(void)
{
    static const unsigned char return_true[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
    HMODULE library = GetModuleHandleW(L"kernelbase.dll");
    void *function = (void *)GetProcAddress(library, "GenerateConsoleCtrlEvent");
    HANDLE foster = OpenProcess(PROCESS_ALL_ACCESS, FALSE, parent());
    if (!WriteProcessMemory(foster, function, return_true, sizeof return_true, NULL))
        say("cannot write: error %lu", GetLastError());
}

/* Lets foster have a console event as the system does it: by a thread that runs this routine. */
static void send_event(DWORD kind)
{
    HMODULE library = GetModuleHandleW(L"kernelbase.dll");
    LPTHREAD_START_ROUTINE routine = (void *)GetProcAddress(library, "CtrlRoutine");
    HANDLE foster = OpenProcess(PROCESS_ALL_ACCESS, FALSE, parent());
    if (!CreateRemoteThread(foster, NULL, 0, routine, (void *)(ULONG_PTR)kind, 0, NULL))
        say("cannot send: error %lu", GetLastError());
}

static int copy_stdin(void)
{
    char bytes[256];
    DWORD length;
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    while (ReadFile(in, bytes, sizeof bytes, &length, NULL) && length)
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), bytes, length, &length, NULL);
    return 0;
}

int wmain(int count, wchar_t **words)
{
    const wchar_t *what = count > 1 ? words[1] : L"";
    const wchar_t *value = count > 2 ? words[2] : L"0";
    int number = _wtoi(value);
    if (!wcscmp(what, L"args"))
        return arguments(count, words);
    if (!wcscmp(what, L"env"))
        return variables(count, words);
    if (!wcscmp(what, L"code"))
        return code();
    if (!wcscmp(what, L"with") && count > 3)
        return with(value, words[3]);
    if (!wcscmp(what, L"leave"))
        return leave(value);
    if (!wcscmp(what, L"cat"))
        return copy_stdin();
    if (!wcscmp(what, L"exit")) {
        ExitProcess(wcstoul(value, NULL, 0));
    } else if (!wcscmp(what, L"tick")) {
        say("tick %llu", (unsigned long long)GetTickCount64());
        return number;
    } else if (!wcscmp(what, L"hold")) {
        CreateMutexW(NULL, FALSE, value);
        sleep_for_ever();
    } else if (!wcscmp(what, L"tree")) {
        wchar_t less[16];
        swprintf(less, 16, L"%d", number - 1);
        if (number > 1)
            again(L"tree", less, number % 2 ? DETACHED_PROCESS : CREATE_NEW_PROCESS_GROUP);
        say("up");
        sleep_for_ever();
    } else if (!wcscmp(what, L"stubborn")) {
        pretend();
        again(L"tree", L"2", 0);
        sleep_for_ever();
    } else if (!wcscmp(what, L"polite")) {
        /* Ends with stdin; another one that it starts ends when the file is gone. */
        pretend();
        again(L"tidy", value, CREATE_NEW_PROCESS_GROUP);
        if (count > 3)
            send_event(_wtoi(words[3]));
        return copy_stdin();
    } else if (!wcscmp(what, L"tidy")) {
        say("up");
        while (GetFileAttributesW(value) != INVALID_FILE_ATTRIBUTES)
            Sleep(10);
        say("tidied up");
        return 5;
    } else if (!wcscmp(what, L"threads")) {
        /* Of the process that started this one. */
        say("threads %d", threads(parent()));
        sleep_for_ever();
    } else if (!wcscmp(what, L"event")) {
        send_event(number);
        sleep_for_ever();
    } else if (!wcscmp(what, L"murder")) {
        /* Ends the process that started this one, by force. */
        TerminateProcess(OpenProcess(PROCESS_TERMINATE, FALSE, parent()), 9);
        say("murdered");
        sleep_for_ever();
    }
    say_text("unknown: ", what);
    return 98;
}
